import { build } from 'rolldown';

/**
 * `src/` and the packages it uses become the few files of `dist/`. Loading some 400 separate modules took half of the time until the
 * first event left, and what a bundle leaves out (the translations of zod's messages, for one) took memory. Types are checked by
 * `npm run check`, not here. Says nothing unless it fails.
 */
await build({
  input: 'src/main.ts',
  platform: 'node',
  // It finds its compiled binding beside its own files.
  external: ['better-sqlite3'],
  output: { dir: 'dist', cleanDir: true, sourcemap: true, chunkFileNames: '[name].js' },
});
