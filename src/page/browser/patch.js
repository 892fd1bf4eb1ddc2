// @ts-check

/**
 * Brings one element to the state of another and touches only what differs, so that focus, selection and scroll stay, and a live
 * region speaks only when its words change. What the reader has opened stays open.
 */

/** What belongs to the reader, not to the forwarder. */
const READERS_OWN = new Set(['open', 'data-open', 'aria-expanded']);

/**
 * @param {Element} now what is shown
 * @param {Element} next what is to be shown; taken apart in the course of it
 */
export function patch(now, next) {
  patchAttributes(now, next);
  const shown = keyedChildren(now);
  /** @type {ChildNode | null} */
  let at = now.firstChild;
  for (const wanted of [...next.childNodes]) {
    const match = matchFor(wanted, at, shown);
    if (match === null) {
      now.insertBefore(wanted, at);
      continue;
    }
    if (match !== at) now.insertBefore(match, at);
    at = match.nextSibling;
    if (match instanceof Element && wanted instanceof Element) patch(match, wanted);
    else if (match.nodeValue !== wanted.nodeValue) match.nodeValue = wanted.nodeValue;
  }
  while (at !== null) {
    const rest = at.nextSibling;
    at.remove();
    at = rest;
  }
}

/**
 * The node that is shown for the same thing: by key, else the one that stands in its place if it is of its kind.
 *
 * @param {Node} wanted
 * @param {ChildNode | null} at
 * @param {Map<string, ChildNode>} shown
 * @returns {ChildNode | null}
 */
function matchFor(wanted, at, shown) {
  const key = keyOf(wanted);
  if (key !== null) {
    const match = shown.get(key) ?? null;
    // Taken once: of two of the same name none may be lost.
    shown.delete(key);
    return match;
  }
  return at !== null && at.nodeName === wanted.nodeName && keyOf(at) === null ? at : null;
}

/** @param {Element} parent */
function keyedChildren(parent) {
  /** @type {Map<string, ChildNode>} */
  const children = new Map();
  for (const child of parent.children) {
    const key = keyOf(child);
    if (key !== null) children.set(key, child);
  }
  return children;
}

/**
 * @param {Node} node
 * @returns {string | null}
 */
function keyOf(node) {
  return node instanceof Element ? node.getAttribute('data-key') : null;
}

/**
 * @param {Element} now
 * @param {Element} next
 */
function patchAttributes(now, next) {
  for (const { name, value } of next.attributes) {
    if (!READERS_OWN.has(name) && now.getAttribute(name) !== value) now.setAttribute(name, value);
  }
  for (const { name } of [...now.attributes]) {
    if (!READERS_OWN.has(name) && !next.hasAttribute(name)) now.removeAttribute(name);
  }
}
