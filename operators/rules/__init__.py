"""Rules: YAML in, explained verdicts out. Public surface, by module (import them by name, nothing is re-exported):

    from operators.rules import pack, judge, lint, cases

    pack.load_pack("collections_zh", registry) -> Pack      built-in name or folder; RulesError (ValueError) lists every problem
        Pack.id, .title, .version ("1.0.0+ab12cd34ef56"), .items {id: Item(zh, cls, severity)}, .rules {id: Rule}
    judge.compile_pack(pack, registry) -> Judge             once per pack; Judge.labels_needed() for start-up checks
    Judge.judge(table) -> list[Judgement]                   one per call of the CallTable, same order
        Judgement.call_id, .score (0..100), .items {item: ItemVerdict(verdict, severity)},
        .verdicts {rule: "hit" | "pass" | "unknown" | "not_applicable"},
        .findings [Finding(rule, item, title, verdict, severity, score, turns, start_ms, end_ms, evidence, reasons)]
        Finding.as_dict() / Evidence.as_dict()              the JSON shape of design.md; hits first, then unknowns
    Judge.verdicts(table) -> Verdicts                       columns only: verdict[R, C] int8 (see judge.VERDICTS), no evidence
    lint.check(path, registry) -> list[Problem]             empty when the pack is sound; str(problem) = file:line:column: what / help
    cases.run(path_or_pack, registry) -> CaseReport         .ok, .failures, .counts; str(report) prints it

``registry`` is ``operators.chain.builtin_registry()`` (or whatever chain offers under that name) plus third parties.
"""
