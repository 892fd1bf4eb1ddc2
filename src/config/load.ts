import { readFileSync, type Stats, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { codeOf, ForwarderError } from '../errors.ts';
import { comparableConfig, filesIn } from './comparable.ts';
import { assembleConfig, type Config } from './config.ts';
import { ConfigDocument, type Finding } from './document.ts';
import { effectiveConfig } from './effective.ts';
import type { Environment } from './environment.ts';
import { ConfigError, formatMistake } from './mistakes.ts';
import { keyOf, type Prepared, prepare, samePath } from './prepare.ts';
import { applyProfiles, toldAtProfile } from './profiles.ts';
import { type ConfigTables, configSchema } from './schema.ts';
import { tables as allTables } from './tables.ts';
import { type Tree, twinOf } from './traverse.ts';
import { warningsOf } from './warnings.ts';
import { type Checked, expectation, findingsOf } from './words.ts';

export interface LoadOptions {
  /** `--config`. */
  readonly file?: string | undefined;
  readonly env: Environment;
  /** Where relative names of config files start; default: the working directory. */
  readonly cwd?: string | undefined;
  /** What the config may name; default: the racks of this program. */
  readonly tables?: ConfigTables | undefined;
}

export interface LoadedConfig {
  readonly config: Config;
  /** Absolute path of the file that was read. */
  readonly file: string;
  /** `FILE:LINE:COLUMN path: …`, one for each thing that works but should not stay so. */
  readonly warnings: readonly string[];
  /** The whole config with every default, written as an operator writes it, secrets masked: for `config print`. */
  readonly effective: Tree;
  /** The same, to be compared with another: see `diffConfigs`. */
  readonly comparable: Tree;
  /** Absolute paths of all files that it is made of: the file itself, and those of secrets and certificates. */
  readonly files: readonly string[];
}

/** Far above any config, far below what would hurt; a larger file is a wrong path. */
const MAX_FILE_BYTES = 1024 ** 2;
const CONFIG_VARIABLE = 'MIMECAST_FORWARDER_CONFIG';
const USUAL_PLACES = ['./config/forwarder.yaml', '/etc/mimecast-forwarder/forwarder.yaml'];

/** Finds, reads and checks the config. Throws a `ConfigError` that holds every mistake of it at once. */
export function loadConfig({ tables = allTables, ...options }: LoadOptions): LoadedConfig {
  const file = findFile(options);
  const { text, mode } = readConfigFile(file);
  const document = new ConfigDocument(file, text, options.env);
  const schema = configSchema(tables);
  const profiled = applyProfiles(document.tree, tables.outputTypes);
  const prepared = prepare(schema, profiled.tree, document, file);
  const result = schema.safeParse(prepared.tree, { error: expectation });
  const checked: Checked = {
    schema,
    tree: prepared.tree,
    isFromEnvironment: (path) => document.isFromEnvironment(path),
  };
  const findings = [
    ...document.findings,
    ...prepared.findings,
    ...withoutEchoes(findingsOf(result.error?.issues ?? [], checked), document, prepared),
  ];
  if (!result.success || findings.length > 0) {
    throw ConfigError.ofMistakes(
      file,
      findings.map((finding) => document.mistake(toldAtProfile(finding, profiled.settings))),
    );
  }
  const config = assembleConfig(result.data, tables);
  const warnings = warningsOf({ config, prepared, mode }).map((finding) =>
    formatMistake(file, document.mistake(toldAtProfile(toldAtFile(finding, prepared), profiled.settings))),
  );
  const effective = effectiveConfig(schema, result.data, prepared.secretFiles);
  const comparable = comparableConfig(schema, result.data, prepared.secretFiles);
  return { config, file, warnings, effective, comparable, files: [file, ...new Set(filesIn(comparable))] };
}

/** `--config`, then the environment, then the usual places. A file that was named must be there: no other is taken instead. */
function findFile({ file, env, cwd = '' }: Omit<LoadOptions, 'tables'>): string {
  const named = file ?? (env[CONFIG_VARIABLE] || undefined);
  if (named !== undefined) return resolve(cwd, named);
  const found = USUAL_PLACES.map((place) => resolve(cwd, place)).find((place) =>
    statSync(place, { throwIfNoEntry: false }),
  );
  if (found !== undefined) return found;
  throw new ConfigError(`no config file: neither ${USUAL_PLACES.join(' nor ')} is there`, {
    hint: `\`mimecast-forwarder init\` makes one. Or name one with --config FILE or $${CONFIG_VARIABLE}; \`mimecast-forwarder demo\` needs none.`,
  });
}

function readConfigFile(file: string): { text: string; mode: number } {
  let stats: Stats;
  let bytes: Buffer;
  try {
    stats = statSync(file);
    if (stats.isDirectory()) throw new ConfigError(`${file} is a folder, expected a YAML file`);
    if (stats.size > MAX_FILE_BYTES) throw new ConfigError(`${file} has ${stats.size} bytes, expected at most 1MiB`);
    bytes = readFileSync(file);
  } catch (cause) {
    if (cause instanceof ForwarderError) throw cause;
    const reason = codeOf(cause) === 'ENOENT' ? 'does not exist' : `cannot be read (${codeOf(cause)})`;
    // Without the cause: it says the same again, in the words of the operating system.
    throw new ConfigError(`the config file ${file} ${reason}`);
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    text = '\0';
  }
  // Text in UTF-16 that has no byte order mark passes as UTF-8 full of NULs.
  if (text.includes('\0')) throw new ConfigError(`${file} is not UTF-8, expected a YAML file in UTF-8`);
  if (text.trim() === '') throw new ConfigError(`${file} is empty, expected the sections mimecast, feeds and outputs`);
  return { text, mode: stats.mode };
}

/** What the schema says about a place that has its finding already adds nothing: one slip, one line. */
function withoutEchoes(findings: readonly Finding[], document: ConfigDocument, prepared: Prepared): Finding[] {
  const settled = [...document.findings.map(({ path }) => path), ...prepared.settled];
  return findings
    .filter((finding) => !settled.some((path) => samePath(path, finding.path)))
    .map((finding) => toldAtFile(finding, prepared));
}

/** Has a finding about a secret that was read from a file point at the key that names the file. */
function toldAtFile(finding: Finding, { secretFiles }: Prepared): Finding {
  if (!secretFiles.has(keyOf(finding.path))) return finding;
  return { ...finding, path: [...finding.path.slice(0, -1), twinOf(String(finding.path.at(-1)))] };
}
