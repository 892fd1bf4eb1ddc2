import { stringify } from 'yaml';
import type { Profile } from '../outputs/output.ts';
import { describeSchema, isSchema, type JsonSchema } from './json-schema.ts';
import { isMap, type Schema } from './traverse.ts';

/**
 * The config reference as Markdown, written from the schema alone, so that it cannot say anything else than what is checked.
 * One table per section; where a section has kinds told apart by `type`, one for what all share and one per kind. Formats, which
 * every output takes, have a section of their own at the end.
 */
export function configReference(schema: Schema): string {
  const described = describeSchema(schema);
  const sections = Object.entries(propertiesOf(described)).map(([key, section]) => renderSection(key, section));
  return `${[INTRODUCTION, ...sections, renderFormats(described)].join('\n\n')}\n`;
}

const INTRODUCTION = `# Config reference

Written from the schema by \`scripts/config-reference.ts\`; edits here are overwritten.

The file is YAML 1.2. It is looked for at \`--config FILE\`, \`$MIMECAST_FORWARDER_CONFIG\`, \`./config/forwarder.yaml\` and
\`/etc/mimecast-forwarder/forwarder.yaml\`, in this order. \`mimecast-forwarder check\` tells every mistake in it at once, with line
and column; \`config print\` shows what is in force.

- **Durations** are written \`500ms\`, \`30s\`, \`15m\`, \`24h\`, \`30d\`; **sizes** \`8000\`, \`64KiB\`, \`1MiB\`, \`10GiB\`.
- **Environment**: \`\${NAME}\` and \`\${NAME:-default}\` are replaced inside values, after the file has been parsed, so that no value can
  change the structure. \`$\${\` is a literal \`\${\`. The default also stands in for a variable that is set but empty.
- **Secrets**: each key \`x\` of type *secret* may be given as \`xFile\` instead, the path of a file that holds it; one line break at its
  end is left out. The file is read again when authentication fails, so that a rotation needs no restart.
- **Paths** in keys that end in \`File\` are relative to the config file; all others are relative to the working directory.
- Anchors, aliases and merge keys (\`<<\`) work. Unknown keys are refused.`;

interface Row {
  readonly key: string;
  readonly node: JsonSchema;
  readonly isRequired: boolean;
}

function renderSection(key: string, section: JsonSchema): string {
  const entries = isSchema(section.items) ? section.items : section;
  const kinds = kindsOf(entries);
  const head = `## ${key}\n\n${section.description ?? ''}`.trimEnd();
  if (kinds.length > 0) return `${head}${renderKinds(`${key}[]`, kinds)}`;
  return `${head}\n\n${renderTable(rowsOf(entries))}${nestedKinds(key, entries)}`;
}

/** The one definition that every output's `format` refers to. */
function renderFormats({ $defs }: JsonSchema): string {
  const format = isSchema($defs) && isSchema($defs.format) ? $defs.format : {};
  const kinds = branchesOf(format).flatMap(kindsOf);
  return `## Formats\n\n${format.description}${renderKinds('format', kinds)}`;
}

function renderKinds(key: string, kinds: readonly JsonSchema[]): string {
  const [first, ...others] = kinds.map((kind) => rowsOf(kind));
  const shared = (first ?? []).filter(
    (row) => row.key !== 'type' && others.every((rows) => rows.some((other) => same(row, other))),
  );
  const common = kinds.length > 1 && shared.length > 0 ? `\n\n${renderTable(shared)}` : '';
  const own = kinds.map((kind) => {
    const rows = rowsOf(kind).filter(
      (row) => row.key !== 'type' && (common === '' || !shared.some((other) => same(row, other))),
    );
    const table = rows.length > 0 ? `\n\n${renderTable(rows)}` : '';
    return `\n\n### ${key} \`type: ${kindOf(kind)}\`\n\n${kind.description ?? ''}${table}${renderProfiles(kind)}`;
  });
  return `${common}${own.join('')}`;
}

/** What stands behind each name that the `profile` of a kind takes. */
function renderProfiles(kind: JsonSchema): string {
  const profiles = propertiesOf(kind).profile?.profiles as Readonly<Record<string, Profile>> | undefined;
  if (profiles === undefined) return '';
  const lines = Object.entries(profiles).map(([name, { summary, options, cases = [] }]) => {
    const sets = [settings(options), ...cases.map((one) => `with ${settings(one.when)}: ${settings(one.options)}`)];
    return `| \`${name}\` | ${cell(sets.join('; '))} | ${cell(summary)} |`;
  });
  return `\n\n${['| profile | sets | |', '|---|---|---|', ...lines].join('\n')}`;
}

function settings(options: Readonly<Record<string, unknown>>): string {
  return Object.entries(options)
    .map(([key, value]) => `\`${key}: ${written(value)}\``)
    .join(', ');
}

function written(value: unknown): string {
  return stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trim();
}

/** Maps of a section that come in kinds themselves, such as `mimecast.auth`. */
function nestedKinds(key: string, section: JsonSchema): string {
  return Object.entries(propertiesOf(section))
    .map(([name, child]) => renderKinds(`${key}.${name}`, kindsOf(child)))
    .join('');
}

function renderTable(rows: readonly Row[]): string {
  const lines = rows.map(({ key, node, isRequired }) => {
    const fallback = isRequired ? '**required**' : defaultText(node);
    return `| \`${key}\` | ${typeText(node)} | ${fallback} | ${cell(String(node.description ?? ''))} |`;
  });
  return ['| key | type | default | |', '|---|---|---|---|', ...lines].join('\n');
}

/** The keys of a map and of the maps in it, with dots. Twins of secrets are left out: the introduction covers them. */
function rowsOf(node: JsonSchema, prefix = ''): Row[] {
  const properties = propertiesOf(node);
  const required = Array.isArray(node.required) ? node.required : [];
  return Object.entries(properties).flatMap(([key, child]) => {
    if (isTwin(key, properties)) return [];
    // A secret that must be given is not in `required`, because its twin will do.
    const isRequired = required.includes(key) || (child.secret === true && isOneOfTwo(node, key));
    const row: Row = { key: `${prefix}${key}`, node: child, isRequired };
    const inner = isSchema(child.properties)
      ? child
      : branchesOf(child).find(({ properties }) => properties !== undefined);
    return kindsOf(child).length > 0 || inner === undefined ? [row] : [row, ...rowsOf(inner, `${prefix}${key}.`)];
  });
}

function isTwin(key: string, properties: Readonly<Record<string, JsonSchema>>): boolean {
  return key.endsWith('File') && properties[key.slice(0, -'File'.length)]?.secret === true;
}

function isOneOfTwo(node: JsonSchema, key: string): boolean {
  const rules = Array.isArray(node.allOf) ? node.allOf : [];
  return rules.some(
    (rule: JsonSchema) => rule.oneOf !== undefined && JSON.stringify(rule).includes(JSON.stringify([key])),
  );
}

function typeText(node: JsonSchema): string {
  if (node.secret === true) return 'secret';
  if (node.$ref === '#/$defs/format') return '[format](#formats)';
  if (node.unit === 'ms') return 'duration';
  if (node.unit === 'bytes') return 'size';
  if (node.const !== undefined) return `\`${String(node.const)}\``;
  if (Array.isArray(node.enum)) return node.enum.map((value) => `\`${String(value)}\``).join(', ');
  const branches = branchesOf(node);
  if (branches.length > 0) return [...new Set(branches.map(typeText))].join(' or ');
  if (node.type === 'array') return isSchema(node.items) ? `list of ${typeText(node.items)}` : 'list';
  if (node.type === 'object') {
    const values = isSchema(node.additionalProperties) ? node.additionalProperties : undefined;
    return values ? `map of ${typeText(values)}` : 'map';
  }
  if (node.type === 'integer' || node.type === 'number') return rangeText(node);
  return node.type === 'boolean' ? '`true`, `false`' : 'text';
}

function rangeText({ minimum, maximum }: JsonSchema): string {
  if (minimum !== undefined && maximum !== undefined) return `${minimum} to ${maximum}`;
  return minimum === undefined ? 'number' : `number, ${minimum} or more`;
}

function defaultText({ default: value }: JsonSchema): string {
  if (value === undefined) return '';
  // The defaults of a map stand in its own rows.
  if (isMap(value)) return '';
  return `\`${cell(typeof value === 'string' ? value : JSON.stringify(value))}\``;
}

function cell(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ').replaceAll('|', '\\|');
}

function same(a: Row, b: Row): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function kindsOf(node: JsonSchema): JsonSchema[] {
  return branchesOf(node).filter((branch) => kindOf(branch) !== undefined);
}

function kindOf(node: JsonSchema): string | undefined {
  const tag = propertiesOf(node).type?.const;
  return typeof tag === 'string' ? tag : undefined;
}

function branchesOf(node: JsonSchema): JsonSchema[] {
  const branches = node.oneOf ?? node.anyOf;
  return Array.isArray(branches) ? branches.filter(isSchema) : [];
}

function propertiesOf(node: JsonSchema): Readonly<Record<string, JsonSchema>> {
  const direct = isSchema(node.properties)
    ? node.properties
    : branchesOf(node).find((branch) => branch.properties)?.properties;
  return (kindsOfUnion(node) ? {} : (direct ?? {})) as Readonly<Record<string, JsonSchema>>;
}

function kindsOfUnion(node: JsonSchema): boolean {
  return Array.isArray(node.oneOf);
}
