import { fileURLToPath } from 'node:url';
import { buildSite } from './site/build.ts';

/**
 * Makes a site of plain HTML from `docs/`, the README and what they link to: `npm run site`, then open `site/index.html`, or serve the
 * folder from anywhere. A link that leads to nothing ends it with 1.
 */
const folder = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url));
try {
  console.log(`site/index.html, with ${buildSite(folder('.'), folder('site')).length} pages`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
