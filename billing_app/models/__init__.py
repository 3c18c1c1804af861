from billing_app.models.rate_limits import RateLimitState

__all__ = ["RateLimitState"]
