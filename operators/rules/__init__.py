"""Rules: YAML in, explained verdicts out. Language reference: docs/rules.md.

    pack.load_pack(name_or_folder, registry) -> Pack    RulesError (in parse) lists all problems
    judge.compile_pack(pack) -> Judge                   once per pack; .labels_needed() for start-up checks
    Judge.judge(table) -> list[Judgement]               one per call of the CallTable, in order
    Judge.verdicts(table) -> Verdicts                   columns only: verdict[R, C], no evidence
    lint.check(name_or_folder, registry)                list[Problem], empty when the pack is sound
    cases.run(name_or_folder, registry) -> CaseReport   .ok, .failures, .counts; str() prints it

``registry`` is ``operators.chain.load_registry()``. Nothing is re-exported here; import the modules by name.
"""
