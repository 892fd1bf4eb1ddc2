import type { OutputType, Profile } from '../outputs/output.ts';
import type { Finding } from './document.ts';
import { isMap, type Path, type Tree } from './traverse.ts';

/** A config's tree with what its profiles set, and what that is. */
export interface Profiled {
  readonly tree: unknown;
  readonly settings: readonly ProfileSetting[];
}

/** One option that stands nowhere in the file: the profile of its output has set it. */
interface ProfileSetting {
  readonly path: Path;
  /** Path of the key `profile` that did it. */
  readonly by: Path;
  readonly profile: string;
}

/**
 * Sets in each output that names a profile what the config has left open. Maps such as `tls` and `batch` are merged key by key;
 * `format` is one choice, and whoever names a format chooses its options too.
 *
 * It works on what is written, before anything is checked, so that a profile can say nothing that an operator could not say.
 * A profile that does not exist is for the schema to refuse.
 */
export function applyProfiles(tree: unknown, types: Readonly<Record<string, OutputType>>): Profiled {
  const settings: ProfileSetting[] = [];
  const entries: unknown = isMap(tree) ? tree.outputs : undefined;
  if (!isMap(tree) || !Array.isArray(entries)) return { tree, settings };

  const outputs = entries.map((entry: unknown, index) => {
    const name = isMap(entry) ? entry.profile : undefined;
    const profile = typeof name === 'string' ? profilesOf(entry, types)[name] : undefined;
    if (!isMap(entry) || typeof name !== 'string' || profile === undefined) return entry;
    const { merged, added } = merge(entry, optionsFor(entry, profile), ['outputs', index]);
    settings.push(...added.map((path) => ({ path, by: ['outputs', index, 'profile'], profile: name })));
    return merged;
  });
  return { tree: { ...tree, outputs }, settings };
}

/** Has a finding about what a profile has set point at the profile: the option itself is nowhere in the file. */
export function toldAtProfile(finding: Finding, settings: readonly ProfileSetting[]): Finding {
  const setting = settings.find(({ path }) => path.every((key, index) => key === finding.path[index]));
  if (setting === undefined) return finding;
  const message = `${finding.message} (it was set by the profile ${setting.profile})`;
  return { ...finding, message, at: 'value', place: setting.by };
}

function profilesOf(entry: unknown, types: Readonly<Record<string, OutputType>>): NonNullable<OutputType['profiles']> {
  const type = isMap(entry) ? entry.type : undefined;
  return (typeof type === 'string' && Object.hasOwn(types, type) && types[type]?.profiles) || {};
}

function optionsFor(entry: Tree, { options, cases = [] }: Profile): Tree {
  const fitting = cases.find(({ when }) => Object.entries(when).every(([key, value]) => entry[key] === value));
  return { ...options, ...fitting?.options };
}

function merge(own: Tree, profile: Tree, path: Path): { readonly merged: Tree; readonly added: readonly Path[] } {
  const merged: Record<string, unknown> = { ...own };
  const added: Path[] = [];
  for (const [key, value] of Object.entries(profile)) {
    const written = own[key];
    if (!Object.hasOwn(own, key)) {
      merged[key] = value;
      added.push([...path, key]);
    } else if (key !== 'format' && isMap(value) && isMap(written)) {
      const inner = merge(written, value, [...path, key]);
      merged[key] = inner.merged;
      added.push(...inner.added);
    }
  }
  return { merged, added };
}
