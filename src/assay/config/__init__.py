"""Settings: one `assay.toml`, checked once, and the few environment variables that may override it."""

from assay.config.files import find_config, init_project
from assay.config.settings import Settings, load_settings

__all__ = ["Settings", "find_config", "init_project", "load_settings"]
