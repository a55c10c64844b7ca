"""Of many claimants one wins, a dead one is replaced; shown on a real S3 with conditional puts."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from faceveil.aws.s3 import S3Location
from faceveil.jobs.claims import Claims

CLAIMANTS = 8


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def place(bucket, s3_url):
    return S3Location.open(f"s3://{bucket}/jobs/talk", s3_url)


def take_at_once(place, clock, owners):
    claimants = [Claims(place, owner, clock) for owner in owners]
    with ThreadPoolExecutor(len(owners)) as pool:
        return list(pool.map(lambda claims: claims.take("finish", 60), claimants))


def test_of_many_at_once_one_wins_and_after_its_death_another_one(place):
    clock, owners = Clock(), [f"worker-{n}" for n in range(CLAIMANTS)]
    first = take_at_once(place, clock, owners)
    assert sum(first) == 1
    winner = owners[first.index(True)]
    others = [owner for owner in owners if owner != winner]
    assert not any(take_at_once(place, clock, others))
    clock.now += 61
    assert sum(take_at_once(place, clock, others)) == 1


def test_a_restarted_owner_goes_on_and_a_released_claim_is_free(place):
    clock = Clock()
    mine, other = Claims(place, "a", clock), Claims(place, "b", clock)
    assert mine.take("finish", 60)
    assert mine.take("finish", 60)
    assert not other.take("finish", 60)
    assert other.take("analyse", 60), "another claim is another matter"
    mine.release("finish")
    assert other.take("finish", 60)
    assert not mine.take("finish", 60)


def test_claims_can_be_forgotten(place):
    claims = Claims(place, "a")
    assert claims.take("finish", 60)
    claims.remove_all()
    assert [*place.pages(recursive=True)] in ([], [[]])
    assert Claims(place, "b").take("finish", 60)
