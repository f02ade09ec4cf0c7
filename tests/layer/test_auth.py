"""AUTH=jwt: nobody buys in another's name. The gateway has checked the token before."""

import dataclasses
from collections.abc import AsyncIterator, Callable, Sequence

import pytest
import redis
from flashsale import bootstrap
from flashsale.bootstrap import Service
from flashsale.config import Settings
from flashsale.errors import Forbidden, InvalidCode, Unauthorized
from flashsale.model import Caller

ANN, EVE, NOBODY = Caller(subject="ann"), Caller(subject="eve"), Caller(address="203.0.113.9")


@pytest.fixture
async def checked(settings: Settings) -> AsyncIterator[Service]:
    made = bootstrap.build(dataclasses.replace(settings, auth="jwt"))
    await made.sales.open_due()
    yield made
    await made.close()


async def test_a_buyer_buys_with_a_token_of_their_own(checked: Service) -> None:
    session = await checked.shop.checkout(buyer="ann", item=1, caller=ANN)
    assert (await checked.shop.purchase(session.code, ANN)).startswith("purchase_")


async def test_another_s_name_another_s_code_and_no_token_are_refused(
    checked: Service,
    query: Callable[..., Sequence[Sequence[object]]],
    redis_client: redis.Redis,
) -> None:
    session = await checked.shop.checkout(buyer="ann", item=1, caller=ANN)
    redis_client.config_resetstat()
    for caller, refusal in ((EVE, Forbidden), (NOBODY, Unauthorized)):
        with pytest.raises(refusal):
            await checked.shop.checkout(buyer="ann", item=2, caller=caller)
        with pytest.raises(refusal):
            await checked.shop.purchase(session.code, caller)
    # Neither store heard of it.
    assert "cmdstat_evalsha" not in redis_client.info("commandstats")
    assert list(query("select item from attempts")) == [[1]]
    assert list(query("select 1 from purchases")) == []


async def test_a_code_that_is_not_ours_says_nothing_about_tokens(checked: Service) -> None:
    with pytest.raises(InvalidCode):
        await checked.shop.purchase("x" * 100, NOBODY)


async def test_without_it_names_are_not_checked(service: Service) -> None:
    session = await service.shop.checkout(buyer="ann", item=1, caller=EVE)
    assert await service.shop.purchase(session.code, NOBODY)


@pytest.mark.parametrize(("auth", "warned"), [("none", True), ("jwt", False)])
def test_a_cloud_where_names_are_not_checked_is_warned_of(
    settings: Settings, caplog: pytest.LogCaptureFixture, auth: str, warned: bool
) -> None:
    bootstrap.build(dataclasses.replace(settings, auth=auth, aws_lambda_function_name="checkout"))
    assert any("AUTH is none" in told for told in caplog.messages) is warned


def test_a_laptop_is_not_warned(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    bootstrap.build(settings)
    assert caplog.messages == []
