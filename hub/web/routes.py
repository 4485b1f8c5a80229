"""Where the pages are mounted."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hub.invocations.runtime import Runtime
from hub.web import (
    acting,
    agent_secrets,
    approval,
    audit,
    batches,
    brakes,
    broken_glass,
    catalog,
    composite_wishes,
    connection,
    consent,
    cost_centres,
    deputies,
    doubts,
    erasures,
    grants,
    health,
    identities,
    invitations,
    invocation,
    login,
    metrics,
    new_connection,
    newcomers,
    own_limits,
    owning,
    passkeys,
    password,
    people,
    person,
    pins,
    policy,
    promotions,
    reviews,
    runners,
    server,
    servers,
    setup,
    signing_in,
    slack_link,
    tool,
    trust,
)
from hub.web.slack import SlackDoor
from hub.web.statics import static_file
from hub.web.visits import Doorway


def web_routes(runtime: Runtime, slack: SlackDoor | None = None) -> list[Route]:
    """Return the routes of everything people see, and those that Slack sends to, if the hub has an app there."""
    door = Doorway(runtime=runtime, waiting=approval.count_waiting, has_slack=slack is not None)
    return [
        Route("/static/{name}", static_file, methods=["GET"]),
        *_entry(door),
        *_catalog(door),
        *_governed(door),
        *_people(door),
        *_policy(door),
        *_brakes(door),
        *_audit(door),
        *_erasures(door),
        *_promotions(door),
        *_pins(door),
        *_metrics(door),
        *_slack(door, slack),
    ]


def lost(runtime: Runtime) -> Callable[[Request, Exception], Awaitable[Response]]:
    """Return what answers for addresses that no door knows."""
    return Doorway(runtime=runtime, waiting=approval.count_waiting).lost


def _entry(door: Doorway) -> list[Route]:
    return [
        Route("/login", door.public(login.show_login), methods=["GET"]),
        Route("/login", door.public(login.submit_login), methods=["POST"]),
        Route("/login/{issuer}", door.public(signing_in.go_to_issuer), methods=["GET"]),
        Route("/login/{issuer}/back", door.public(signing_in.come_back), methods=["GET"]),
        Route("/fresh-login/{issuer}", door.private(signing_in.go_to_issuer_again), methods=["GET"]),
        Route("/logout", door.private(login.log_out), methods=["POST"]),
        Route("/fresh-login", door.private(login.show_fresh_login), methods=["GET"]),
        Route("/fresh-login", door.private(login.submit_fresh_login), methods=["POST"]),
        Route("/password", door.private(password.show_password), methods=["GET"]),
        Route("/password", door.private(password.change_password), methods=["POST"]),
        Route("/passkeys", door.private(passkeys.show_passkeys), methods=["GET"]),
        Route("/passkeys", door.private(passkeys.add_passkey), methods=["POST"]),
        Route("/passkeys/proof", door.private(passkeys.submit_proof), methods=["POST"]),
        Route("/passkeys/{passkey_id}/remove", door.private(passkeys.remove_passkey), methods=["POST"]),
        Route(acting.PATH, door.private(acting.show_acting), methods=["GET"]),
        Route(f"{acting.PATH}/{{agent_id}}/stop", door.private(acting.stop), methods=["POST"]),
        Route("/setup/{token}", door.public(setup.show_setup), methods=["GET"]),
        Route("/setup/{token}", door.public(setup.submit_setup), methods=["POST"]),
        Route("/invitation/{token}", door.public(invitations.show_invitation), methods=["GET"]),
        Route("/invitation/{token}", door.public(invitations.submit_invitation), methods=["POST"]),
        Route("/consent/{request_id}", door.private(consent.show_consent), methods=["GET"]),
        Route("/consent/{request_id}", door.private(consent.answer_consent), methods=["POST"]),
    ]


def _catalog(door: Doorway) -> list[Route]:
    return [
        Route("/", door.private(catalog.show_catalog), methods=["GET"]),
        Route("/servers", door.private(servers.show_servers), methods=["GET"]),
        Route("/servers", door.private(servers.add_server), methods=["POST"]),
        Route("/servers/{server}", door.private(server.show_server), methods=["GET"]),
        *(
            Route(f"/servers/{{server}}/{one}", door.private(server.change_server), methods=["POST"])
            for one in server.ACTIONS
        ),
        Route("/server-proposals/{proposal_id}", door.private(server.decide_on_proposal), methods=["POST"]),
        Route("/new-connection", door.private(new_connection.show_new_connection), methods=["GET"]),
        Route("/new-connection", door.private(new_connection.add_connection), methods=["POST"]),
        Route("/connections/{connection_id}/disable", door.private(connection.disable), methods=["POST"]),
        Route("/connections/{connection_id}/owner", door.private(owning.own_connection), methods=["POST"]),
        Route("/connections/{connection_id}/enable", door.private(connection.enable), methods=["POST"]),
        Route("/connections/{connection_id}", door.private(connection.show_connection), methods=["GET"]),
        Route("/connections/{connection_id}", door.private(connection.correct_connection), methods=["POST"]),
        Route("/connections/{connection_id}/try", door.private(connection.try_this_connection), methods=["POST"]),
        Route("/servers/{server}/tools/{name}", door.private(tool.show_tool), methods=["GET"]),
        Route("/servers/{server}/tools/{name}/owner", door.private(owning.own_tool), methods=["POST"]),
        Route("/runners", door.private(runners.show_runners), methods=["GET"]),
        Route("/runners", door.private(runners.add_runner), methods=["POST"]),
        Route("/runners/{connector}/{runner_id}/revoke", door.private(runners.revoke), methods=["POST"]),
        Route("/health", door.private(health.show_health), methods=["GET"]),
    ]


def _governed(door: Doorway) -> list[Route]:
    return [
        Route("/approvals", door.private(approval.show_inbox), methods=["GET"]),
        Route("/approval-batches/{shape}", door.private(batches.show_batch), methods=["GET"]),
        Route("/approval-batches/{shape}", door.private(batches.submit_batch), methods=["POST"]),
        Route("/deputies", door.private(deputies.show_deputies), methods=["GET"]),
        Route("/deputies", door.private(deputies.add_deputy), methods=["POST"]),
        Route("/deputies/{deputyship_id}/end", door.private(deputies.end_deputy), methods=["POST"]),
        Route("/approvals/{invocation_id}", door.private(approval.show_approval), methods=["GET"]),
        Route("/approvals/{invocation_id}", door.private(approval.submit_vote), methods=["POST"]),
        Route("/approvals/{invocation_id}/instead", door.private(approval.submit_counter), methods=["POST"]),
        Route("/approvals/{invocation_id}/standing-grant", door.private(grants.show_new_grant), methods=["GET"]),
        Route("/approvals/{invocation_id}/standing-grant", door.private(grants.give_grant), methods=["POST"]),
        Route("/standing-grants", door.private(grants.show_grants), methods=["GET"]),
        Route("/standing-grants/{grant_id}/revoke", door.private(grants.revoke), methods=["POST"]),
        Route("/approvals/{invocation_id}/broken-glass", door.private(broken_glass.show_glass), methods=["GET"]),
        Route("/approvals/{invocation_id}/broken-glass", door.private(broken_glass.submit_glass), methods=["POST"]),
        Route("/waiting", door.private(approval.show_waiting), methods=["GET"]),
        Route(doubts.PATH, door.private(doubts.show_doubts), methods=["GET"]),
        Route(f"{doubts.PATH}/{{invocation_id}}", door.private(doubts.show_doubt), methods=["GET"]),
        Route(f"{doubts.PATH}/{{invocation_id}}", door.private(doubts.settle_doubt), methods=["POST"]),
        Route("/agents/{agent_id}/trust", door.private(trust.show_agent_trust), methods=["GET"]),
        Route("/tools/{tool_id}/trust", door.private(trust.show_tool_trust), methods=["GET"]),
        Route("/tools/{tool_id}/trust", door.private(trust.vouch), methods=["POST"]),
        Route("/tools/{tool_id}/trust/{agent_id}", door.private(trust.look), methods=["POST"]),
        Route("/reviews", door.private(reviews.show_reviews), methods=["GET"]),
        Route("/reviews/{review_id}", door.private(reviews.conclude), methods=["POST"]),
        Route("/invocations", door.private(invocation.show_invocations), methods=["GET"]),
        Route("/invocations/{invocation_id}", door.private(invocation.show_invocation), methods=["GET"]),
        Route("/invocations/{invocation_id}/cancel", door.private(invocation.cancel_invocation), methods=["POST"]),
        Route("/invocations/{invocation_id}/undo", door.private(invocation.undo_invocation), methods=["POST"]),
    ]


def _people(door: Doorway) -> list[Route]:
    one = "/people/{principal_id}"
    return [
        Route("/people", door.private(people.show_people), methods=["GET"]),
        Route("/people/users", door.private(people.add_user), methods=["POST"]),
        Route("/people/agents", door.private(people.add_agent), methods=["POST"]),
        Route("/people/groups", door.private(people.add_group), methods=["POST"]),
        Route("/people/newcomers", door.private(newcomers.show_newcomers), methods=["GET"]),
        Route("/people/newcomers/{principal_id}/accept", door.private(newcomers.accept_newcomer), methods=["POST"]),
        Route(one, door.private(person.show_person), methods=["GET"]),
        Route(f"{one}/groups", door.private(people.change_groups), methods=["POST"]),
        Route(f"{one}/roles", door.private(people.change_roles), methods=["POST"]),
        Route(f"{one}/limits", door.private(people.change_limits), methods=["POST"]),
        Route(f"{one}/statement", door.private(people.change_statement), methods=["POST"]),
        Route(f"{one}/email", door.private(people.change_email), methods=["POST"]),
        Route(f"{one}/invitation", door.private(people.invite_person), methods=["POST"]),
        Route(f"{one}/passkeys/remove", door.private(people.remove_passkeys), methods=["POST"]),
        Route(f"{one}/redirects", door.private(people.change_redirects), methods=["POST"]),
        Route(f"{one}/owner", door.private(owning.own_agent), methods=["POST"]),
        Route(f"{one}/binding", door.private(people.change_binding), methods=["POST"]),
        Route(f"{one}/identities", door.private(identities.link_identity), methods=["POST"]),
        Route(f"{one}/identities/{{issuer}}/unlink", door.private(identities.unlink_identity), methods=["POST"]),
        Route(f"{one}/suspend", door.private(people.suspend_person), methods=["POST"]),
        Route(f"{one}/resume", door.private(people.resume_person), methods=["POST"]),
        Route(f"{one}/secrets", door.private(agent_secrets.issue_client_secret), methods=["POST"]),
        Route(
            f"{one}/secrets/{{secret_id}}/revoke", door.private(agent_secrets.revoke_client_secret), methods=["POST"]
        ),
    ]


def _policy(door: Doorway) -> list[Route]:
    return [
        Route("/policy", door.private(policy.show_policies), methods=["GET"]),
        Route("/policy/bundles/{bundle_id}", door.private(policy.show_bundle), methods=["GET"]),
        Route("/policy/bundles/{bundle_id}/publish", door.private(policy.publish_bundle), methods=["POST"]),
        Route("/policy/{environment}", door.private(policy.show_policy), methods=["GET"]),
        Route(
            "/policy/{environment}",
            door.private(policy.submit_bundle, longest=policy.LONGEST_FORM),
            methods=["POST"],
        ),
    ]


def _brakes(door: Doorway) -> list[Route]:
    return [
        Route("/limits", door.private(brakes.show_brakes), methods=["GET"]),
        Route("/limits", door.private(brakes.set_limit), methods=["POST"]),
        Route(own_limits.PATH, door.private(own_limits.show_own_limits), methods=["GET"]),
        Route(own_limits.PATH, door.private(own_limits.set_own_limit), methods=["POST"]),
        Route(f"{own_limits.PATH}/change", door.private(own_limits.change_own_limit), methods=["POST"]),
        Route(f"{own_limits.PATH}/lift", door.private(own_limits.lift_own_limit), methods=["POST"]),
        Route("/limits/lift", door.private(brakes.lift_limit), methods=["POST"]),
        Route("/limits/stops", door.private(brakes.set_stop), methods=["POST"]),
        Route("/limits/stops/lift", door.private(brakes.lift_stop), methods=["POST"]),
    ]


def _audit(door: Doorway) -> list[Route]:
    return [
        Route(audit.PATH, door.private(audit.show_log), methods=["GET"]),
        Route(f"{audit.PATH}/check", door.private(audit.check_log), methods=["POST"]),
        Route(f"{audit.PATH}/export", door.private(audit.download_log), methods=["POST"]),
    ]


def _erasures(door: Doorway) -> list[Route]:
    return [
        Route("/erasures", door.private(erasures.show_erasures), methods=["GET"]),
        Route("/erasures", door.private(erasures.ask_erasure), methods=["POST"]),
        Route("/erasures/survey", door.private(erasures.foresee_erasure), methods=["POST"]),
        Route("/erasures/holds", door.private(erasures.set_hold), methods=["POST"]),
        Route("/erasures/holds/{hold_id}/lifting", door.private(erasures.lift_hold), methods=["POST"]),
        Route("/erasures/{erasure_id}/grant", door.private(erasures.grant_erasure), methods=["POST"]),
        Route("/erasures/{erasure_id}/refusal", door.private(erasures.refuse_erasure), methods=["POST"]),
    ]


def _slack(door: Doorway, slack: SlackDoor | None) -> list[Route]:
    if slack is None:
        return []
    return [
        Route("/slack", door.private(slack_link.show_slack), methods=["GET"]),
        Route("/slack/code", door.private(slack_link.make_code), methods=["POST"]),
        Route("/slack/unlink", door.private(slack_link.end_link), methods=["POST"]),
        Route("/slack/interactions", slack.interactions, methods=["POST"]),
        Route("/slack/commands", slack.commands, methods=["POST"]),
    ]


def _promotions(door: Doorway) -> list[Route]:
    one = "/promotions/{promotion_id}"
    return [
        Route("/promotions", door.private(promotions.show_promotions), methods=["GET"]),
        Route("/promotions", door.private(promotions.ask_promotion), methods=["POST"]),
        Route("/promotions/composites", door.private(composite_wishes.ask_composite), methods=["POST"]),
        Route(one, door.private(promotions.show_promotion), methods=["GET"]),
        Route(f"{one}/decision", door.private(promotions.decide), methods=["POST"]),
        Route(f"{one}/checks", door.private(promotions.check), methods=["POST"]),
        Route(f"{one}/explanation", door.private(promotions.explain), methods=["POST"]),
        Route(f"{one}/withdrawal", door.private(promotions.withdraw), methods=["POST"]),
        Route(f"{one}/reversal", door.private(promotions.revert), methods=["POST"]),
    ]


def _pins(door: Doorway) -> list[Route]:
    return [
        Route("/pins", door.private(pins.show_pins), methods=["GET"]),
        Route("/pins/{pin_id}", door.private(pins.show_pin), methods=["GET"]),
        Route("/pins/{pin_id}/decision", door.private(pins.decide), methods=["POST"]),
    ]


def _metrics(door: Doorway) -> list[Route]:
    one = "/cost-centres/{centre_id}"
    return [
        Route("/metrics", door.private(metrics.show_metrics), methods=["GET"]),
        Route("/metrics/download", door.private(metrics.download_metrics), methods=["GET"]),
        Route("/cost-centres", door.private(cost_centres.show_centres), methods=["GET"]),
        Route("/cost-centres", door.private(cost_centres.open_centre), methods=["POST"]),
        Route(one, door.private(cost_centres.show_centre), methods=["GET"]),
        Route(one, door.private(cost_centres.change_centre), methods=["POST"]),
        Route(f"{one}/closing", door.private(cost_centres.close_centre), methods=["POST"]),
        Route(f"{one}/assignments", door.private(cost_centres.assign), methods=["POST"]),
    ]
