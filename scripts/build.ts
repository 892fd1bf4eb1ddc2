import { readFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build, type Plugin } from 'rolldown';

/**
 * `src/` and the packages it uses become the few files of `dist/`. Loading some 400 separate modules took half of the time until the
 * first event left, and what a bundle leaves out (the translations of zod's messages, for one) took memory. Types are checked by
 * `npm run check`, not here. Says nothing unless it fails.
 */
await build({
  input: 'src/main.ts',
  platform: 'node',
  // SQLite finds its compiled binding beside its own files. The client libraries are loaded by those who have installed them.
  external: ['better-sqlite3', 'kafkajs', /^@nats-io\//],
  resolve: { alias: { undici$: fileURLToPath(new URL('undici-parts.cjs', import.meta.url)) } },
  plugins: [httpByRequire(), textsInside(), asciiOnly()],
  output: { dir: 'dist', cleanDir: true, sourcemap: true, chunkFileNames: '[name].js' },
});

/**
 * Takes `node:http` by `require`. Whoever imports it has all its exports looked at, the lazy `WebSocket` among them, for which Node
 * loads an undici of its own: 35 ms of every start.
 */
function httpByRequire(): Plugin {
  const id = '\0http-by-require';
  return {
    name: 'http-by-require',
    resolveId: (wanted, importer) => (wanted === 'node:http' && importer !== id ? id : null),
    load: (wanted) => (wanted === id ? { code: "module.exports = require('node:http');", moduleType: 'js' } : null),
  };
}

/**
 * A module that reads a text from beside it, `readFileSync(new URL('./page.css', import.meta.url), 'utf8')`, finds nothing there once it
 * is in the bundle: the text is put in its place.
 */
function textsInside(): Plugin {
  return {
    name: 'texts-inside',
    transform: {
      filter: { id: /\/src\/page\/assets\.ts$/ },
      handler: (code, id) => {
        const reading = /readFileSync\(new URL\('([^']+)', import\.meta\.url\), 'utf8'\)/g;
        const text = (_: string, path: string): string =>
          JSON.stringify(readFileSync(new URL(path, pathToFileURL(id)), 'utf8'));
        const inside = code.replace(reading, text);
        if (inside.includes('import.meta')) throw new Error(`${id} still reads files that are not in the bundle`);
        return { code: inside, map: null };
      },
    },
  };
}

/**
 * A single `…` in a file makes V8 hold all of it two bytes wide: 3 MB more for what starts with the daemon, and 10 to 30 ms more to read it. In
 * texts, templates and patterns an escape means the same; `String.raw` is the exception, and has none of it.
 */
function asciiOnly(): Plugin {
  return {
    name: 'ascii-only',
    generateBundle: (_options, bundle) => {
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== 'chunk') continue;
        if (/String\.raw`[^`]*[^\0-\x7f]/.test(chunk.code))
          throw new Error(`${chunk.fileName} has a raw text with more than ASCII`);
        chunk.code = chunk.code.replace(/[^\0-\x7f]/g, escaped);
      }
    },
  };
}

function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
