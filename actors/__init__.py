"""Run machines: shells that carry outputs out, and adapters to brokers, feeds and notifiers."""

from config.guards import install

install(__name__)
