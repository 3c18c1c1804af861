"""The playground: what agents were asked and did in the organisation, and trying it again.

For staff, admins and owners; for everybody else it does not exist.
"""
