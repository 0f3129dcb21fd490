"""The heartbeat automation, under the name by which `ferflow up` imports it."""

from deployments.automations.heartbeat import HEARTBEAT_S, ensure_heartbeat_automation

__all__ = ["HEARTBEAT_S", "ensure_heartbeat_automation"]
