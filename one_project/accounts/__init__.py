"""Who is who: users, organisations (the tenant), memberships, teams, and the event log.

Public: ``access`` (membership or nothing), ``services.organisations`` (create_organisation,
add_member, ...), ``services.events.record_event``. Every app above may import it; it imports
``one_project.common`` only.
"""
