"""Pure functions on columns: operators, the rule language, rule packs. No network, disk, clock or GPU."""
