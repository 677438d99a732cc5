"""How checkpoints are kept, out of settings: into which store, by which rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trainctl.config import Settings

if TYPE_CHECKING:
    from trainctl.kit.retention import Policy  # each run starts through here, few have rules

_RULES = ("keep_last", "keep_best", "keep_every", "max_size")


def store_of(settings: Settings) -> dict[str, str] | None:
    """The store's URL and how it is reached, as a job records it; None where none is set."""
    if settings.store is None:
        return None
    return {
        "url": settings.store,
        "endpoint": settings.store_endpoint or "",
        "region": settings.store_region or "",
        "profile": settings.store_profile or "",
    }


def policy_of(settings: Settings) -> Policy:
    """The rules that these settings hold."""
    from trainctl.kit import retention

    return retention.policy_of({name: settings.value(name) for name in _RULES})


def retention_of(settings: Settings) -> dict[str, Any] | None:
    """The same as a job records them; None where no rule is set."""
    if all(settings.value(name) is None for name in _RULES):
        return None
    from trainctl.kit import retention

    return retention.to_json(policy_of(settings))
