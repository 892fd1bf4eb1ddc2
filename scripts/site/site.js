/** What pages do beyond being read. Without this script they have no search, and lack nothing else. */

// The contents are longer than the screen: shown from where the page that is read stands in them.
const contents = document.querySelector('nav');
contents.scrollTop = (contents.querySelector('[aria-current]')?.offsetTop ?? 0) - contents.clientHeight / 3;

/* Search in the pages' sections: every word has to be there; a hit in a title or heading goes before one in the text. */

const MOST = 12;
const root = new URL('.', document.currentScript.src);
const box = document.querySelector('search');
const input = box.querySelector('input');
const list = box.querySelector('ol');
box.hidden = false;

let index;
/** The index is loaded when somebody begins to search. */
function load() {
  index ??= new Promise((resolve) => {
    const script = document.createElement('script');
    script.src = new URL('search-index.js', root);
    script.onload = () =>
      resolve(globalThis.searchIndex.map((row) => ({ row, low: row.map((text) => text.toLowerCase()) })));
    document.head.append(script);
  });
  return index;
}

function scoreOf([, title, heading, text], words) {
  let score = 0;
  for (const word of words) {
    if (heading.includes(word)) score += heading === word ? 12 : 6;
    else if (title.includes(word)) score += 4;
    else if (text.includes(word)) score += 1;
    else return 0;
  }
  return score;
}

function excerptOf(text, words) {
  const low = text.toLowerCase();
  const at = Math.max(0, Math.min(...words.map((word) => low.indexOf(word)).filter((found) => found >= 0)));
  const from = Number.isFinite(at) ? Math.max(0, text.lastIndexOf(' ', at - 40)) : 0;
  return `${from > 0 ? '… ' : ''}${text.slice(from, from + 120).trim()}${from + 120 < text.length ? ' …' : ''}`;
}

function itemOf([address, title, heading, text], words) {
  const item = document.createElement('li');
  const link = document.createElement('a');
  link.href = new URL(address, root);
  const name = document.createElement('b');
  name.textContent = heading === title ? title : `${title}: ${heading}`;
  const excerpt = document.createElement('span');
  excerpt.textContent = excerptOf(text, words);
  link.append(name, excerpt);
  item.append(link);
  return item;
}

async function show() {
  const rows = await load();
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = (words.length === 0 ? [] : rows)
    .map(({ row, low }) => ({ row, score: scoreOf(low, words) }))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score)
    .slice(0, MOST);
  list.replaceChildren(...found.map(({ row }) => itemOf(row, words)));
  if (words.length > 0 && found.length === 0)
    list.replaceChildren(Object.assign(document.createElement('li'), { textContent: 'Nothing found.' }));
}

input.addEventListener('focus', load, { once: true });
input.addEventListener('input', show);
input.addEventListener('keydown', ({ key }) => {
  if (key === 'Enter') list.querySelector('a')?.click();
  if (key === 'Escape') list.replaceChildren();
});
document.addEventListener('click', ({ target }) => {
  if (!box.contains(target)) list.replaceChildren();
});
document.addEventListener('keydown', (event) => {
  if (event.key === '/' && document.activeElement === document.body) {
    event.preventDefault();
    input.focus();
  }
});
