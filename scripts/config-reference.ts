import { writeFileSync } from 'node:fs';
import { jsonSchemaOf } from '../src/config/json-schema.ts';
import { configReference } from '../src/config/reference.ts';
import { configSchema } from '../src/config/schema.ts';
import { tables } from '../src/config/tables.ts';

/**
 * Writes what follows from the schema: the reference for people and the JSON Schema for editors. A test refuses drift.
 * `biome format --write config/forwarder.schema.json` afterwards brings the latter into the shape that `npm run check` wants.
 */
const schema = configSchema(tables);
writeFileSync(new URL('../docs/config.md', import.meta.url), configReference(schema));
writeFileSync(
  new URL('../config/forwarder.schema.json', import.meta.url),
  `${JSON.stringify(jsonSchemaOf(schema), undefined, 2)}\n`,
);
