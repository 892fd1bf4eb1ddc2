// @ts-check
import { patch } from './patch.js';

/**
 * Keeps the page fresh, copies commands and folds rows. All that there is to read comes from the server; without this script the page
 * reads the same and loads itself again every half minute.
 *
 * @typedef {{ title: string, icon: string, verdict: string, clock: string, style: string, parts: Record<string, string> }} Update
 */

const root = document.documentElement;
/** ms between two updates of a stream. */
const refresh = Number(root.dataset.refresh);
/** No word for so many refreshes: what is shown may no longer be so. */
const MISSED = 3;

const state = {
  /** By the browser's clock. */
  heardAt: Date.now(),
  /** The forwarder's words for it. */
  heard: textOf('clock'),
  /** @type {EventSource | null} */
  stream: null,
  /** @type {number | null} When the connection is tried again, by the clock that never steps. */
  retryAt: null,
};

/**
 * The policy is the only place where text becomes markup: the browser refuses all others (`require-trusted-types-for`).
 *
 * @typedef {{ createHTML(text: string): string }} Rules
 */
const { trustedTypes } = /** @type {{ trustedTypes?: { createPolicy(name: string, rules: Rules): Rules } }} */ (
  /** @type {unknown} */ (self)
);
const rules = { createHTML: /** @param {string} text */ (text) => text };
const policy = trustedTypes?.createPolicy('page', rules) ?? rules;

root.dataset.scripted = '';
connect();
setInterval(look, Math.min(1000, refresh / 2));
document.addEventListener('click', clicked);
// A machine that slept, or a tab that was frozen: nothing was heard meanwhile, and waiting for the next try would look broken.
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState !== 'visible' || !isLate()) return;
  lost();
  state.retryAt = performance.now();
});

/** One stream at a time: a browser opens six connections to a host, and one that is forgotten is held for ever. */
function connect() {
  state.stream?.close();
  state.retryAt = null;
  const stream = new EventSource(`live${location.search}`);
  state.stream = stream;
  stream.onmessage = ({ data }) => heard(JSON.parse(data));
  stream.onerror = () => {
    if (state.stream === stream) lost();
  };
}

function lost() {
  state.stream?.close();
  state.stream = null;
  state.retryAt = performance.now() + refresh;
}

/**
 * Looks for the page itself first: it tells that the forwarder is there even when all of its streams are taken.
 */
async function retry() {
  state.retryAt = null;
  // Without the name and password that the address may have been opened with: the browser knows them, and takes no such request.
  const address = location.origin + location.pathname + location.search;
  try {
    const answer = await fetch(address, {
      cache: 'no-store',
      signal: AbortSignal.timeout(2 * refresh),
    });
    if (!answer.ok) throw new Error(`answered ${answer.status}`);
    heard(updateOf(parsed(await answer.text())));
    connect();
  } catch {
    lost();
  }
}

/** @param {Update} update */
function heard(update) {
  if (update.style !== styleOf(document)) {
    // Another version of the forwarder: its page belongs to its own styles and script.
    location.reload();
    return;
  }
  state.heardAt = Date.now();
  state.heard = update.clock;
  delete root.dataset.stale;
  root.dataset.live = 'yes';
  root.dataset.verdict = update.verdict;
  setText('said', 'Live,');
  setText('clock', update.clock);
  setText('zone', 'UTC');
  show(update.title, update.icon);
  for (const [name, markup] of Object.entries(update.parts)) {
    const shown = document.querySelector(`[data-part="${CSS.escape(name)}"]`);
    const next = parsed(`<body>${markup}`).body;
    if (shown !== null) patchChildren(shown, next);
  }
}

/** Once a second: is it stale, is it time to try again, what does the bar say. */
function look() {
  // A stream that is open and says nothing is as good as none.
  if (isLate() && state.stream !== null) lost();
  if (isLate()) grow();
  if (state.retryAt !== null && performance.now() >= state.retryAt) void retry();
}

/** By the clock that goes on while the machine sleeps. One that was set back says nothing: what was heard is then late as well. */
function isLate() {
  const age = Date.now() - state.heardAt;
  return age < 0 || age > MISSED * refresh + 500;
}

/** Says that nothing is known any more, and how old what is below is. */
function grow() {
  const { host } = root.dataset;
  if (root.dataset.stale === undefined) {
    root.dataset.stale = '';
    root.dataset.live = 'no';
    delete root.dataset.verdict;
    const template = document.getElementById('stale');
    const head = document.querySelector('[data-part="head"]');
    if (template instanceof HTMLTemplateElement && head !== null) {
      const next = document.createElement('div');
      next.append(template.content.cloneNode(true));
      patchChildren(head, next);
      setText('heard', state.heard);
    }
    show(`? No word · ${host}`, root.dataset.staleIcon ?? '');
  }
  setText('age', ageWords(Date.now() - state.heardAt));
  const now = performance.now();
  const wait = Math.max(1, Math.ceil(((state.retryAt ?? now) - now) / 1000));
  setText('said', state.retryAt === null ? 'No connection, trying again' : `No connection, trying again in ${wait} s`);
  setText('clock', '');
  setText('zone', '');
}

/** @param {number} ms */
function ageWords(ms) {
  const [size, unit] = ms < 120_000 ? [1000, 'second'] : ms < 7_200_000 ? [60_000, 'minute'] : [3_600_000, 'hour'];
  const number = Math.max(1, Math.floor(ms / size));
  return `${number} ${unit}${number === 1 ? '' : 's'}`;
}

/** @param {MouseEvent} event */
function clicked({ target }) {
  const button = target instanceof Element ? target.closest('button') : null;
  if (button === null) return;
  if (button.classList.contains('copy')) void copy(button);
  if (button.classList.contains('fold')) fold(button);
}

/** @param {HTMLElement} button */
function fold(button) {
  const row = button.closest('[data-calm]');
  const isOpen = row?.toggleAttribute('data-open') ?? false;
  button.setAttribute('aria-expanded', String(isOpen));
}

/** @param {HTMLElement} button */
async function copy(button) {
  const code = button.parentElement?.querySelector('code');
  const text = code?.textContent ?? '';
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // A page that did not come over https or from this machine may not write to the clipboard; what is selected can be copied.
    const selection = getSelection();
    if (code) selection?.selectAllChildren(code);
    if (!document.execCommand('copy')) return;
    selection?.removeAllRanges();
  }
  button.textContent = 'Copied';
  setTimeout(() => {
    button.textContent = 'Copy';
  }, 2000);
}

/**
 * @param {Element} shown
 * @param {Element} next
 */
function patchChildren(shown, next) {
  for (const { name, value } of shown.attributes) next.setAttribute(name, value);
  patch(shown, next);
}

/**
 * A document in which nothing runs and nothing is loaded.
 *
 * @param {string} markup
 * @returns {Document}
 */
function parsed(markup) {
  return new DOMParser().parseFromString(policy.createHTML(markup), 'text/html');
}

/**
 * What a whole page says, as an update.
 *
 * @param {Document} page
 * @returns {Update}
 */
function updateOf(page) {
  const parts = [...page.querySelectorAll('[data-part]')].map((part) => [
    part.getAttribute('data-part'),
    part.innerHTML,
  ]);
  return {
    title: page.title,
    icon: page.querySelector('link[rel="icon"]')?.getAttribute('href') ?? '',
    verdict: page.documentElement.dataset.verdict ?? '',
    clock: page.getElementById('clock')?.textContent ?? '',
    style: styleOf(page),
    parts: Object.fromEntries(parts),
  };
}

/** @param {Document} page */
function styleOf(page) {
  return page.querySelector('link[rel="stylesheet"]')?.getAttribute('href') ?? '';
}

/**
 * @param {string} title
 * @param {string} icon
 */
function show(title, icon) {
  if (document.title !== title) document.title = title;
  const link = document.querySelector('link[rel="icon"]');
  if (link !== null && link.getAttribute('href') !== icon) link.setAttribute('href', icon);
}

/** @param {string} id */
function textOf(id) {
  return document.getElementById(id)?.textContent ?? '';
}

/**
 * @param {string} id
 * @param {string} text
 */
function setText(id, text) {
  const element = document.getElementById(id);
  if (element !== null && element.textContent !== text) element.textContent = text;
}
