"""Load and validate the configuration: YAML files into frozen, typed models."""
