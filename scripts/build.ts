import { build } from 'rolldown';

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
  output: { dir: 'dist', cleanDir: true, sourcemap: true, chunkFileNames: '[name].js' },
});
