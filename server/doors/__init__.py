"""The edge: gRPC, health, the command line's renderings. Wire types stay here."""
