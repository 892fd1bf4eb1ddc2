import { writeFileSync } from 'node:fs';
import { commandsReference } from '../src/commands/commands-reference.ts';
import { commands } from '../src/commands/index.ts';
import { manPage } from '../src/commands/man-page.ts';
import { programPage } from '../src/commands/manual.ts';

/** Writes docs/commands.md and the man page, to be run after a command was added or reworded. A test refuses drift. */
const page = programPage(await Promise.all(Object.values(commands).map((load) => load())));
writeFileSync(new URL('../docs/commands.md', import.meta.url), commandsReference(page));
writeFileSync(new URL('../docs/mimecast-forwarder.1', import.meta.url), manPage(page));
