"""What the end of a run says in words, beside its numbers."""

from __future__ import annotations

import pytest

from app.cli.deployments import listed
from app.cli.figures import number
from app.cli.summary import next_steps, summary, winners
from tests.app.fake_services import RUN, a_run, deployment, measured

AHEAD = "Gradient-boosted trees do better here: accuracy 0.95 against 0.91 of the network."
LEVEL = (
    "Gradient-boosted trees do as well here: accuracy 0.95 against 0.91 of the network, a difference within the noise."
)


@pytest.mark.parametrize(("interval", "said"), [((-0.08, -0.01), AHEAD), ((-0.08, 0.002), LEVEL), (None, AHEAD)])
def test_a_baseline_ahead_by_no_more_than_the_noise_is_not_called_better(
    interval: tuple[float, float] | None, said: str
) -> None:
    run = a_run("deployed", differences={"trees": measured(-0.04, interval=interval)})
    assert winners(run) == [said]


def test_zero_has_no_sign() -> None:
    assert number(-0.0) == number(0.0) == number(-2.22e-17) == "0"
    assert number(-2.22e-9) == "-2.22e-09"


def test_a_rejected_run_with_a_tested_model_offers_the_override_and_one_without_does_not() -> None:
    assert "--override --why" in next_steps(a_run("rejected", model=None, tested=True))
    assert "--override" not in next_steps(a_run("rejected", model=None))


@pytest.mark.parametrize(("status", "said"), [("replaced", "serves another run's version"), ("stopped", "is stopped")])
def test_a_deployment_that_does_not_serve_is_not_shown_as_if_it_did(status: str, said: str) -> None:
    gone = deployment().model_copy(update={"status": status, "url": None, "pid": None})
    told = summary(a_run("deployed", deployment=gone))
    assert f"not served: penguins {said}" in told and "curl" not in told
    assert f"neuroloom deploy {RUN}" in told
    assert "not served" not in summary(a_run("deployed"))


def test_a_stopped_deployment_says_how_it_is_served_again() -> None:
    stopped = deployment().model_copy(update={"status": "stopped", "url": None, "pid": None})
    assert listed([stopped]).splitlines()[-1] == f"serve penguins again: neuroloom deploy {RUN}"
    assert "again" not in listed([deployment()])
