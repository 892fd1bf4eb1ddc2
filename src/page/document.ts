import { icon, script } from './assets.ts';
import { type Html, html } from './html.ts';
import { largeMark } from './marks.ts';
import type { PartName, Rendering } from './parts.ts';
import { linkTo, type PageQuery } from './query.ts';

/** Without a script the page loads itself again after so many seconds. */
const RELOAD_SECONDS = 30;

/** The whole page: the frame, which is the same for all times, round the parts. `refresh` is the time between two updates, ms. */
export function document(rendering: Rendering, query: PageQuery, refresh: number): string {
  const { title, verdict, host, style } = rendering;
  const theme = query.theme === null ? null : html`data-theme="${query.theme}"`;
  return html`<!doctype html>
<html lang="en" data-verdict="${verdict}" data-host="${host}" data-refresh="${refresh}" data-stale-icon="${icon('idle')}" ${theme}>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="icon" type="image/svg+xml" href="${rendering.icon}">
<link rel="stylesheet" href="${style}">
<script type="module" src="${script}"></script>
<noscript><meta http-equiv="refresh" content="${RELOAD_SECONDS}"></noscript>
</head>
<body>
${bar(rendering)}
<main>
<div class="top"><div class="width">
${part(rendering, 'head', 'head')}
${part(rendering, 'to-do', 'old')}
</div></div>
<div class="width below old">
${section('Feeds', rendering, 'feeds', { note: part(rendering, 'feeds-note', 'section-note'), toggle: spanToggle(query) })}
${section('Outputs', rendering, 'outputs', { note: html`<div class="section-note">Each on its own: a slow one holds back only itself</div>`, toggle: null })}
${section('Newest events', rendering, 'events', query.mayShowNames ? { note: null, toggle: maskToggle(query) } : { note: MASKED, toggle: null })}
${part(rendering, 'kept', '')}
</div>
</main>
<div class="width old"><footer>${part(rendering, 'footer', '')}${LINKS}</footer></div>
${staleHead(host)}
${HATCHING}
</body>
</html>
`.toString();
}

function bar({ host, clock }: Rendering): Html {
  return html`<header class="top"><div class="width bar"><p><b>mimecast-forwarder</b><span class="host">on ${host}</span></p><p class="liveness"><span class="dot"></span><span><span id="said">As of</span> <span id="clock">${clock}</span> <span id="zone">UTC</span></span></p></div></header>`;
}

function section(
  title: string,
  rendering: Rendering,
  name: PartName,
  { note, toggle }: { readonly note: Html | null; readonly toggle: Html | null },
): Html {
  const panel = name === 'events' ? '' : 'panel';
  return html`<section class="section" aria-labelledby="${name}-title"><div class="section-head"><h2 id="${name}-title">${title}</h2>${note}${toggle}</div>${part(rendering, name, panel)}</section>`;
}

/** What an update replaces, by its name. */
function part(rendering: Rendering, name: PartName, classes: string): Html {
  return html`<div data-part="${name}" class="${classes}">${rendering.parts[name]}</div>`;
}

function spanToggle(query: PageQuery): Html {
  return toggle('Span of the timelines', [
    { words: '24 h', isOn: query.span === '24h', link: linkTo(query, { span: '24h' }) },
    { words: '7 d', isOn: query.span === '7d', link: linkTo(query, { span: '7d' }) },
  ]);
}

function maskToggle(query: PageQuery): Html {
  return toggle('Names of people and files', [
    { words: 'Names shown', isOn: !query.masked, link: linkTo(query, { masked: false }) },
    { words: 'Masked', isOn: query.masked, link: linkTo(query, { masked: true }) },
  ]);
}

function toggle(label: string, choices: readonly { words: string; isOn: boolean; link: string }[]): Html {
  return html`<nav class="toggle" aria-label="${label}">${choices.map(
    ({ words, isOn, link }) => html`<a href="${link}" ${isOn ? html`aria-current="true"` : null}>${words}</a>`,
  )}</nav>`;
}

const MASKED = html`<div class="section-note">Names are masked: whoever reaches this address may look, without a token</div>`;

const LINKS = html`<ul class="links"><li><a href="metrics">/metrics</a></li><li><a href="api/status">/api/status</a></li><li><a href="readyz">/readyz</a></li><li>Not affiliated with Mimecast</li></ul>`;

/** What the script shows in place of the headline when it hears nothing: "All is well" never stands beside what is not known. */
function staleHead(host: string): Html {
  return html`<template id="stale">${largeMark('idle')}<div class="words"><div aria-live="polite" aria-atomic="true"><h1><span class="sentence">No word from the forwarder since <span id="heard"></span>.</span> <span class="sentence" aria-live="off">What is below is <span id="age"></span> old.</span></h1></div><p class="lead">It may be stopped, or this browser cannot reach it. On ${host}: <code>mimecast-forwarder status</code></p></div></template>`;
}

/** Shared by all timelines. */
const HATCHING = html`<svg class="defs" aria-hidden="true" focusable="false"><defs><pattern id="hatched" width="4.6" height="4.6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="hatch-ground" width="5" height="5"/><path class="hatch-line" d="M1.2 0V5"/></pattern></defs></svg>`;
