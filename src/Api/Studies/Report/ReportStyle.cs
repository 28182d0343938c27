namespace Temper.Api.Studies.Report;

/// <summary>CSS of the report. Each series sets its hue; the lightness depends on the light or dark background.</summary>
internal static class ReportStyle
{
    public const string Css = """
        :root { color-scheme: light dark; --ground: #fff; --ink: #1d2024; --quiet: #5f666d; --rule: #dde0e3; --marked: #eef3fb;
        --lightness: 43%; }
        @media (prefers-color-scheme: dark) { :root { --ground: #15171a; --ink: #e6e8ea; --quiet: #9ba2a9; --rule: #33383d; --marked:
        #1d2735; --lightness: 68%; } }
        body { margin: 2rem auto; max-width: 74rem; padding: 0 1.25rem; background: var(--ground); color: var(--ink); font: 15px/1.5
        system-ui, sans-serif; }
        h1 { margin: 0 0 1rem; font-size: 1.75rem; line-height: 1.25; overflow-wrap: anywhere; }
        h2 { margin: 2.5rem 0 .5rem; border-bottom: 1px solid var(--rule); font-size: 1.2rem; }
        h3 { margin: 1.25rem 0 .25rem; font-size: 1rem; }
        p { margin: .25rem 0 .75rem; max-width: 52rem; }
        section > p:not(.answer), figure p, summary { color: var(--quiet); }
        dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1.25rem; margin: .5rem 0; }
        dt { color: var(--quiet); }
        dd { margin: 0; overflow-wrap: anywhere; }
        .answer { font-size: 1.3rem; line-height: 1.4; }
        .findings { padding-left: 1.2rem; max-width: 56rem; }
        .table { overflow-x: auto; }
        table { border-collapse: collapse; font-size: 12.5px; font-variant-numeric: tabular-nums; }
        th, td { padding: .3rem .45rem; border-bottom: 1px solid var(--rule); text-align: right; vertical-align: top; }
        .group th { text-align: center; }
        th { vertical-align: bottom; color: var(--quiet); font-weight: 500; line-height: 1.25; }
        td small { display: block; color: var(--quiet); white-space: nowrap; }
        .recommended td { background: var(--marked); }
        .charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(19rem, 100%), 1fr)); gap: 1rem 1.5rem; }
        .small { grid-template-columns: repeat(auto-fill, minmax(min(14rem, 100%), 1fr)); }
        figure { margin: 0; }
        figcaption { font-weight: 600; }
        figure p { margin: 0; font-size: 13px; }
        svg { display: block; width: 100%; height: auto; }
        .axes path { stroke: var(--rule); fill: none; }
        .axes text { fill: var(--quiet); font-size: 11px; }
        .axes .x { text-anchor: middle; }
        .axes .y { text-anchor: end; }
        .series, .legend li::before { --colour: hsl(var(--hue) 72% var(--lightness)); }
        .line { fill: none; stroke: var(--colour); stroke-width: 1.75; stroke-linejoin: round; }
        .point { fill: var(--colour); stroke: var(--ground); }
        .seed { fill: var(--colour); fill-opacity: .35; }
        .whisker { fill: none; stroke: var(--colour); stroke-width: 1.25; }
        .column { fill: var(--colour); fill-opacity: .3; }
        .diagonal { fill: none; stroke: var(--quiet); stroke-dasharray: 4 4; }
        .legend { display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; margin: .25rem 0 .75rem; padding: 0; list-style: none; font-size:
        13px; }
        .legend li::before { content: ""; display: inline-block; width: 1.1em; height: 3px; margin-right: .45em; vertical-align:
        middle; background: var(--colour); }
        details { margin-top: 2.5rem; }
        pre { overflow-x: auto; font-size: 12.5px; }
        """;
}
