"""A connector that does nothing: loading it shows how confined connector code runs on this machine."""

from connectors.sdk import Connector

connector = Connector("probe", version="1.0.0", description="Nothing.")
