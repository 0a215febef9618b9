"""The ground floor: picks an egg, drives it through the phases, and answers for how it ended.

Small enough to be audited in one sitting; it never imports the core.
"""
