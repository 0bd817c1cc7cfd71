"""The page: facts -> HTML. Every name, path and message goes through `text`, so none of them can become markup."""

from __future__ import annotations

from importlib import resources
from string import Template

import curation
from curation import coupling_matrix
from curation.class_words import pack
from curation.evidence.marks import class_colours
from curation.evidence.panel import Picture, percent
from curation.keepers import LABELS_DISAGREE
from curation.report.charts import histogram
from curation.report.facts import Disagreements, Example, Facts, Histogram, People, Reason, Strip
from curation.report.shares import MOST_SAMPLED
from curation.report.words import Images, meter, name, table, text
from curation.rules import STRUCTURAL
from curation.summary import TITLES
from curation.workspace import Workspace

CLASSES_OPEN = 30  # class shares shown before the rest is folded away


def page(facts: Facts, work: Workspace, command: str) -> str:
    """The whole page."""
    images = Images()
    sections = [
        ("reasons", "Reasons", _reasons(facts)),
        ("scores", "Scores", _scores(facts.histograms)),
        *[
            (f"reason-{r.rule.reason}", r.rule.reason, _reason(r, images))
            for r in facts.reasons
            if r.examples or r.nearly
        ],
        ("people", "Decided by people", _people(facts.people)),
        ("same-photo-other-labels", "Same photo, other labels", _disagreements(facts.disagreements)),
        ("equivalence-classes", "Equivalence classes", _classes(facts, work, images)),
        ("class-shares", "Class shares", _shares(facts)),
        ("coupled-classes", "Coupled classes", _coupled(facts, images)),
        ("errors", "Errors", _errors(facts)),
        ("made", "How it was made", _made(facts, work, command)),
    ]
    sections = [(anchor, title, html) for anchor, title, html in sections if html]
    nav = "".join(f'<a href="#{anchor}">{text(title)}</a>' for anchor, title, _ in sections)
    main = "\n".join(
        f'<section id="{anchor}"><h2><a href="#{anchor}">{text(title)}</a></h2>\n{html}</section>'
        for anchor, title, html in sections
    )
    template = Template((resources.files("curation") / "templates" / "report.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=f"{text(work.source.name)}: {text(TITLES[facts.selection.settings.level])}",
        header=_header(facts, work),
        nav=nav,
        main=images.fill(main),
        footer=f"Made by curate {text(curation.__version__)}. This file needs nothing beside it and loads nothing.",
    )


def _header(facts: Facts, work: Workspace) -> str:
    rows = []
    for step in facts.funnel:
        share = step.kept / max(facts.found, 1)
        told = "" if step is facts.funnel[0] else f"<span>{text(percent(share))}</span>"
        why = "".join(
            f'<span><b class="num">&minus;{n:,}</b> <a href="#{_anchor(facts, reason)}">{text(reason)}</a></span>'
            for reason, n in step.dropped.items()
        )
        if step.back:
            why += f'<span><b class="num">+{step.back:,}</b> kept again: a copy that is better by these rules</span>'
        rows.append(
            f'<li><div class="name">{text(step.name)}</div><div class="track">'
            f'<div class="bar" style="--share:{share:.4f}"></div><div class="count num">{step.kept:,}{told}</div></div>'
            f'{f"""<div class="why">{why}</div>""" if why else ""}</li>'
        )
    kind = "photos without label maps" if facts.photos_only else "pairs"
    return (
        f'<header id="top"><p class="kicker">Curation report</p><h1>{text(work.source.name)}</h1>'
        f'<p class="soft">{facts.found:,} {kind} in {name(work.source)}; layout: {text(work.layout)}; '
        f'label space: {text(work.space.name)}</p>\n<ol class="funnel">{"".join(rows)}</ol></header>'
    )


def _anchor(facts: Facts, reason: str) -> str:
    if reason == "unreadable":
        return "errors"
    shown = any(r.rule.reason == reason and (r.examples or r.nearly) for r in facts.reasons)
    return f"reason-{reason}" if shown else "reasons"


def _reasons(facts: Facts) -> str:
    most = max((r.first for r in facts.reasons), default=0)
    columns = [("reason", "name"), ("pairs", "r"), ("", "wide"), ("in all", "r wide"), ("threshold", "r wide")]
    rows = [
        [
            f'<a href="#{_anchor(facts, r.rule.reason)}">{text(r.rule.reason)}</a>',
            f"{r.first:,}",
            meter(r.first / max(most, 1)),
            f"{r.every:,}",
            "" if r.rule.threshold is None else f"{r.rule.threshold:g}",
            text(r.rule.says),
        ]
        for r in facts.reasons
        if r.applied and (r.first or r.rule.reason not in ("target_size", "person"))
    ]
    return (
        "<p>Why pairs are dropped. A pair counts under the first reason it meets, in this order; "
        "&ldquo;in all&rdquo; counts it under every reason.</p>"
        + table([*columns, ("what it means", "full")], rows, "stack")
    )


def _scores(histograms: list[Histogram]) -> str:
    if not histograms:
        return ""
    cards = []
    for h in histograms:
        n = f'<span class="over-text num">{h.over:,}</span> of {len(h.values):,}'
        said = f"{n} at or above {h.threshold:g}"
        if not h.applied and not h.over:
            said = f"not applied; none at or above {h.threshold:g}"
        elif not h.applied:
            more = "" if h.more == h.over else f", {h.more:,} of them kept now"
            said = f"not applied; would drop {n}{more}: <code>--set {h.name}={h.threshold:g}</code>"
        chart = histogram(h.values, h.threshold, f"{h.name}: {h.over} of {len(h.values)} at or above {h.threshold:g}")
        idle = "" if h.applied else " idle"
        cards.append(
            f'<div class="card{idle}" id="score-{h.name}"><h3><a href="#score-{h.name}">{text(h.name)}</a></h3>'
            f'<p class="soft" style="margin:0 0 4px">{text(h.says)}</p>{chart}<p class="said">{said}</p></div>'
        )
    return (
        "<p>Every score of every readable pair, 0 = fine, 1 = surely defective. Counts are on a log scale, so that one "
        "pair alone shows.</p>"
        f'<div class="grid">{"".join(cards)}</div>'
    )


def _reason(reason: Reason, images: Images) -> str:
    rule = reason.rule
    said = f"{rule.says[0].upper()}{rule.says[1:]}. "
    if reason.applied:
        said += f"{reason.first:,} {'pair' if reason.first == 1 else 'pairs'} dropped"
        said += "." if reason.first == reason.every else f" for this first, {reason.every:,} in all."
        if reason.every > len(reason.examples):
            said += f" {'Some of them' if rule.reason in STRUCTURAL else 'The worst'}:"
    else:
        said += f"Not applied; the worst of those that would go with --set {rule.reason}={rule.threshold:g}:"
    html = f"<p>{text(said)}</p>{_cards(reason, reason.examples, images)}"
    if reason.nearly:
        html += (
            f'<h3 class="nearly">Kept <span>the nearest below the threshold of {rule.threshold:g}</span></h3>'
            f"{_cards(reason, reason.nearly, images)}"
        )
    return html


def _cards(reason: Reason, examples: list[Example], images: Images) -> str:
    return f'<div class="grid examples">{"".join(_card(reason, e, images) for e in examples)}</div>'


def _columns(picture: Picture) -> int:
    return max(len(row) for row in picture.rows)


def _card(reason: Reason, example: Example, images: Images) -> str:
    score = "" if example.score is None or reason.rule.reason == "exact_duplicate" else f"{example.score:.3f}"
    over = reason.rule.threshold is not None and (example.score or 0) >= reason.rule.threshold
    style = "over-text" if over and reason.rule.reason not in STRUCTURAL else "soft"
    html = f'<div class="card"><div class="top">{name(example.pair_id)}<span class="num {style}">{score}</span></div>'
    if example.picture:
        html += _panels(example.picture, images)
    said = [example.detail] if example.detail else []
    said += [f"also {', '.join(example.also)}"] if example.also else []
    return html + (f'<p class="said">{text("; ".join(said))}</p>' if said else "") + "</div>"


def _panels(picture: Picture, images: Images) -> str:
    figures = []
    for panel in picture.panels:
        tall = panel.pixels.shape[0] > 1.3 * panel.pixels.shape[1]
        kind = ' class="lead"' if panel.lead else ' class="tall"' if tall else ""
        caption = text(panel.caption)
        figures.append(
            f'<figure{kind}><img src="{images.src(panel.pixels)}" alt="{caption}" loading="lazy">'
            f"<figcaption>{caption}</figcaption></figure>"
        )
    layout = "panels led" if any(panel.lead for panel in picture.panels) else "panels"
    return f'<div class="{layout}" style="--columns:{_columns(picture)}">{"".join(figures)}</div>'


def _people(people: People) -> str:
    if not people.judged:
        return ""
    rows = [[name(pair_id), text(line)] for pair_id, line in people.latest]
    more = people.judged - len(rows)
    more = f"<p>{more:,} more: <code>curate decisions export FILE</code></p>" if more else ""
    return (
        f"<p>What a person decided wins over every rule: {people.kept:,} {'pair is' if people.kept == 1 else 'pairs are'} kept and "
        f"{people.dropped:,} dropped for that here. The latest verdicts:</p>"
        + table([("pair", "name"), ("verdict", "full")], rows)
        + more
    )


def _disagreements(found: Disagreements) -> str:
    if not found.compared:
        return ""
    says = (
        f"<p>{found.compared:,} {'couple' if found.compared == 1 else 'couples'} of pairs with the same photo can be compared, mirrored or "
        "laid over each other where one is a part of the other. "
    )
    if not found.over:
        return (
            says + f"None of their label maps differ on more than {text(percent(LABELS_DISAGREE))} of the picture.</p>"
        )
    rows = [[name(first), name(second), text(percent(share))] for first, second, share in found.worst]
    return (
        f'{says}The label maps of <span class="over-text num">{found.over:,}</span> differ on more than '
        f"{text(percent(LABELS_DISAGREE))} of the picture, not counting where borders run: one of the two is wrong there, and "
        "label maps of photos that are there only once may be as wrong. Those that differ most:</p>"
        + table([("pair", "wide"), ("pair", "wide"), ("differ on", "r")], rows)
    )


def _classes(facts: Facts, work: Workspace, images: Images) -> str:
    if not facts.strips:
        return ""
    strips = "".join(_strip(strip, work, images) for strip in facts.strips)
    return (
        f"<p>{facts.n_classes:,} classes of label maps that are practically the same input to a generator. The "
        "largest, with the label map of the representative first; photos that the selection drops are faded.</p>"
        f"{strips}"
    )


def _strip(strip: Strip, work: Workspace, images: Images) -> str:
    first = strip.members[0].pair
    colours = class_colours(first.ids, work.space)
    figures = [f'<figure><img src="{images.src(colours)}" alt="label map"><figcaption>label map</figcaption></figure>']
    for m in strip.members:
        fate = "<b>kept</b>" if m.reason is None else text(m.reason)
        side = "stays" if m.reason is None else "gone"
        figures.append(
            f'<figure class="{side}"><img src="{images.src(m.pair.photo)}" alt="{text(m.pair.pair_id)}" loading="lazy">'
            f"<figcaption>{name(m.pair.pair_id)}<br>{fate}</figcaption></figure>"
        )
    more = strip.size - len(strip.members)
    more = f", {more:,} more not shown" if more else ""
    return (
        f'<h3>{name(strip.name)} <span class="soft">{strip.size:,} pairs, {strip.kept:,} kept{more}</span></h3>'
        f'<div class="strip">{"".join(figures)}</div>'
    )


def _shares(facts: Facts) -> str:
    if not facts.shares:
        return ""
    most = max(max(s.area) for s in facts.shares)
    columns = [("class", "name"), ("area before", "r"), ("after", "r"), ("points", "r"), ("", "wide twice")]
    columns += [("pairs before", "r wide"), ("after", "r wide")]
    rows = []
    for s in facts.shares:
        before, after = s.area
        change = f"{100 * after - 100 * before:+.1f}"
        rows.append(
            [
                f'<span class="swatch" style="background:#{pack(s.colour):06x}"></span>{text(s.name)}',
                text(f"{100 * before:.1f} %"),
                text(f"{100 * after:.1f} %"),
                "0" if float(change) == 0 else change,
                meter(before / most, "before") + meter(after / most, "kept"),
                *(text(percent(share)) for share in s.pairs),
            ]
        )
    html = table(columns, rows[:CLASSES_OPEN])
    if rest := rows[CLASSES_OPEN:]:
        html += f"<details><summary>{len(rest)} more classes</summary>{table(columns, rest)}</details>"
    sample = f" Counted on a sample of {facts.sampled:,} pairs." if facts.sampled > 0.9 * MOST_SAMPLED else ""
    return (
        "<p>Did the selection shift the classes? Mean share of the picture, and share of the pairs that show a class, "
        f"over all readable pairs and over the kept ones.{sample}</p>{html}"
    )


def _coupled(facts: Facts, images: Images) -> str:
    if facts.coupled is None or facts.coupled.empty:
        return ""
    said = coupling_matrix.suggestions(facts.coupled)
    listed = (
        "".join(f"<li>{text(line)}</li>" for line in said) or "<li>No two classes are so coupled that it matters.</li>"
    )
    picture = images.src(coupling_matrix.draw(facts.coupled))
    columns = [("class", "name"), ("maps", "r"), ("area", "r"), ("edge density", "r"), ("aggregation", "r")]
    columns += [("interspersion", "r")]
    rows = [
        [
            text(row.name),
            f"{row.maps:,}",
            text(percent(row.area)),
            *(
                "" if value != value else f"{value:.2f}"
                for value in (row.edge_density, row.aggregation, row.interspersion)
            ),
        ]
        for row in facts.structure.itertuples(index=False)
    ]
    return (
        "<p>Classes that interleave at a fine scale, or that look alike to a judge that never saw them, cannot be told "
        "apart by a generator. Two that mean the same to you are better one class: <code>--merge</code> writes them as "
        f"one into the recipe, and training follows it.</p><ul>{listed}</ul>"
        f'<img class="matrix" src="{picture}" alt="matrix of coupled classes" loading="lazy">'
        "<details><summary>Edge density, aggregation and interspersion of each class</summary>"
        "<p>Landscape ecology's measures, means over the maps. Edge density: sides of class borders per cell, a cell being "
        "1/128 of the long side. Aggregation: 1 where a class is one compact patch. Interspersion: 1 where it borders on "
        f"all others equally long.</p>{table(columns, rows)}</details>"
    )


def _errors(facts: Facts) -> str:
    if not facts.errors:
        return "<p>Every pair could be read.</p>"
    html = []
    for kind in facts.errors:
        rows = [[name(pair_id), name(files), text(error)] for pair_id, files, error in kind.rows]
        hidden = kind.count - len(kind.rows)
        more = f"<p>{hidden:,} more: <code>WORK/scores.parquet</code>, column error.</p>" if hidden else ""
        html.append(
            f'<details><summary><span class="over-text num">{kind.count:,}</span> {text(kind.kind)}</summary>'
            f"{table([('pair', 'wide'), ('files', ''), ('error', '')], rows)}{more}</details>"
        )
    total = sum(kind.count for kind in facts.errors)
    return f"<p>{total:,} pairs cannot be measured. Open a kind to see its files.</p>{''.join(html)}"


def _made(facts: Facts, work: Workspace, command: str) -> str:
    settings = facts.selection.settings
    active = ", ".join(
        f"{reason} {rule.threshold:g}" for reason, rule in settings.active().items() if rule.threshold is not None
    )
    lines = [
        ("curate", curation.__version__),
        ("selection", f"{TITLES[settings.level]} (level {settings.level})"),
        ("thresholds", active or "none"),
        ("drawn of a class as often as" if settings.reweight else "kept of a class", f"{settings.keep_per_class}"),
        ("copy that stays", ", ".join(settings.keeper)),
        ("label space", f"{work.space.name}, {len(work.space.names)} classes"),
    ]
    if settings.target_size is not None:
        lines.append(("target size", f"{settings.target_size:,}"))
    return (
        table([("", "name soft"), ("", "")], [[text(a), text(b)] for a, b in lines])
        + f"<p>Make this selection again:</p><pre>{text(command, 100_000)}</pre>"
        "<p>Why one pair:</p><pre>curate explain PAIR_ID --open</pre>"
    )
