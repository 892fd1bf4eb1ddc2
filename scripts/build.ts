import { fileURLToPath } from 'node:url';
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
  plugins: [httpByRequire()],
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
