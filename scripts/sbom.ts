import { readFileSync } from 'node:fs';

/**
 * Prints what an installation consists of, as CycloneDX 1.6 in JSON: `npm run -s sbom > sbom.json`. The packages are those that
 * `dependencies` and, as optional ones, `peerDependencies` lead to in the lock file; both are in the container image. Two runs on the
 * same lock file print the same. Ends with 1, and says which, when a package has a licence that is not among those below.
 */

/** SPDX names. All of them may be bundled into a program under Apache-2.0 when their text is kept beside it. */
const ALLOWED: ReadonlySet<string> = new Set([
  'Apache-2.0',
  'MIT',
  'ISC',
  'BSD-2-Clause',
  'BSD-3-Clause',
  '0BSD',
  'Unlicense',
]);

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly description?: string;
  readonly license?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

/** An entry of the lock file, and what the package says of itself where it is installed. */
interface Package extends Manifest {
  /** `node_modules/pino-pretty/node_modules/sonic-boom`. */
  readonly path: string;
  /** `sha512-<base64>`. */
  readonly integrity: string;
}

const at = (path: string) => new URL(`../${path}`, import.meta.url);
const read = (path: string) => JSON.parse(readFileSync(at(path), 'utf8'));

const root: Manifest = read('package.json');
const locked: Readonly<Record<string, { readonly integrity?: string }>> = read('package-lock.json').packages;

const required = reachable(Object.keys(root.dependencies ?? {}));
const all = reachable([...Object.keys(root.dependencies ?? {}), ...Object.keys(root.peerDependencies ?? {})]);

const refused = [...all.values()].filter(({ license = 'none' }) => !ALLOWED.has(license));
for (const { name, version, license } of refused)
  console.error(`${name} ${version}: licence ${license ?? 'none'} is not allowed`);
if (refused.length > 0) process.exitCode = 1;
else console.log(JSON.stringify(sbom(), undefined, 2));

/** The packages that these names lead to, by their path. */
function reachable(names: readonly string[]): Map<string, Package> {
  const found = new Map<string, Package>();
  const visit = (from: string, name: string): void => {
    const path = resolve(from, name);
    if (path === undefined || found.has(path)) return;
    const installed = packageAt(path);
    found.set(path, installed);
    for (const next of neededBy(installed)) visit(path, next);
  };
  for (const name of names) visit('', name);
  return new Map([...found].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** What a package needs; what it merely can use (`optional`) counts where it is installed. */
function neededBy({ dependencies, optionalDependencies }: Manifest): string[] {
  return Object.keys({ ...dependencies, ...optionalDependencies });
}

/** As Node looks a package up: beside the one that asks, then further and further out. Undefined where it is not locked. */
function resolve(from: string, name: string): string | undefined {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))) {
    const path = `${folder === '' ? '' : `${folder}/`}node_modules/${name}`;
    if (path in locked) return path;
    if (folder === '') return undefined;
  }
}

function packageAt(path: string): Package {
  const { integrity } = locked[path] ?? {};
  if (integrity === undefined) throw new Error(`${path} has no integrity in package-lock.json`);
  return { ...read(`${path}/package.json`), path, integrity };
}

function sbom() {
  const packages = [...all.values()];
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      component: { type: 'application', 'bom-ref': purl(root), ...described(root), purl: purl(root) },
    },
    components: packages.map((one) => ({
      type: 'library',
      'bom-ref': refOf(one),
      ...described(one),
      scope: required.has(one.path) ? 'required' : 'optional',
      hashes: [hashOf(one)],
      purl: purl(one),
    })),
    dependencies: [
      {
        ref: purl(root),
        dependsOn: [
          ...new Set(
            Object.keys({ ...root.dependencies, ...root.peerDependencies }).flatMap((name) => refTo('', name)),
          ),
        ],
      },
      ...packages.map((one) => ({
        ref: refOf(one),
        dependsOn: neededBy(one).flatMap((name) => refTo(one.path, name)),
      })),
    ],
  };
}

/** A scoped package has its scope in `group`. */
function described({ name, version, description, license = '' }: Manifest) {
  const [, group, short = name] = /^(@[^/]+)\/(.+)$/.exec(name) ?? [];
  return {
    ...(group !== undefined && { group }),
    name: short,
    version,
    ...(description !== undefined && { description }),
    licenses: [{ license: { id: license } }],
  };
}

/** The same version can be installed at two places; a reference is to one of them. */
function refOf(one: Package): string {
  const twins = [...all.values()].filter(({ name, version }) => name === one.name && version === one.version);
  return twins.length > 1 ? `${purl(one)}#${one.path}` : purl(one);
}

function refTo(from: string, name: string): string[] {
  const target = all.get(resolve(from, name) ?? '');
  return target === undefined ? [] : [refOf(target)];
}

/** Package URL: `pkg:npm/%40scope/name@version`. */
function purl({ name, version }: Manifest): string {
  return `pkg:npm/${name.replace('@', '%40')}@${version}`;
}

/** Of the archive that npm installs, in hex as CycloneDX wants it. */
function hashOf({ integrity }: Package) {
  const [algorithm = '', digest = ''] = integrity.split('-', 2);
  return {
    alg: algorithm.toUpperCase().replace('SHA', 'SHA-'),
    content: Buffer.from(digest, 'base64').toString('hex'),
  };
}
