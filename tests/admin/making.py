"""What every row of the admin needs: an organisation, people, and a name of its own."""

from itertools import count

from one_project.accounts.models import Membership, Organisation, User

numbers = count(1)


def name(what: str) -> str:
    return f"{what}-{next(numbers)}"


def organisation(_: Organisation | None = None) -> Organisation:
    return Organisation.objects.create(name=name("Org"), slug=name("org"))


def membership(org: Organisation) -> Membership:
    user = User.objects.create_user(f"{name('person')}@example.test", "x", name=name("Person"))
    return Membership.objects.create(organisation=org, user=user)


def user(org: Organisation) -> User:
    return membership(org).user
