import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';

const ROOT = resolve(import.meta.dirname, '../..');
const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});
const print = () => execFileSync(process.execPath, ['scripts/sbom.ts'], { cwd: ROOT, encoding: 'utf8' });

/** What the JSON schema of CycloneDX 1.6 says of the parts that are used, and nothing beside them (`additionalProperties: false`). */
const licenses = z.tuple([z.strictObject({ license: z.strictObject({ id: z.string().min(1) }) })]);
const described = {
  'bom-ref': z.string().min(1),
  group: z.string().startsWith('@').optional(),
  name: z.string().min(1),
  version: z.string().min(1),
  description: z.string().optional(),
  licenses,
  purl: z.string().regex(/^pkg:npm\/(%40[\w.-]+\/)?[\w.-]+@[\w.+-]+$/),
};
const bom = z.strictObject({
  $schema: z.literal('http://cyclonedx.org/schema/bom-1.6.schema.json'),
  bomFormat: z.literal('CycloneDX'),
  specVersion: z.literal('1.6'),
  version: z.int().min(1),
  metadata: z.strictObject({ component: z.strictObject({ type: z.literal('application'), ...described }) }),
  components: z.array(
    z.strictObject({
      type: z.literal('library'),
      ...described,
      scope: z.enum(['required', 'optional']),
      hashes: z.tuple([z.strictObject({ alg: z.literal('SHA-512'), content: z.string().regex(/^[0-9a-f]{128}$/) })]),
    }),
  ),
  dependencies: z.array(z.strictObject({ ref: z.string(), dependsOn: z.array(z.string()) })),
});

describe('the list of what an installation consists of', () => {
  const text = print();
  const { metadata, components, dependencies } = bom.parse(JSON.parse(text));
  const fullName = ({ group, name }: { group?: string | undefined; name: string }) =>
    group ? `${group}/${name}` : name;
  const names = new Set(components.map(fullName));

  it('is the same whenever it is made', () => {
    expect(print()).toBe(text);
  });

  it('names everything once, and refers to nothing that it does not name', () => {
    const refs = [metadata.component['bom-ref'], ...components.map((component) => component['bom-ref'])];
    expect(new Set(refs).size).toBe(refs.length);
    expect(dependencies.map(({ ref }) => ref)).toEqual(refs);
    for (const { dependsOn } of dependencies) {
      expect(new Set(dependsOn).size).toBe(dependsOn.length);
      for (const ref of dependsOn) expect(refs).toContain(ref);
    }
  });

  it('has every package of which there is code in dist', () => {
    const maps = readdirSync(resolve(ROOT, 'dist')).filter((name) => name.endsWith('.map'));
    const bundled = maps.flatMap((name) => {
      const { sources }: { sources: string[] } = JSON.parse(readFileSync(resolve(ROOT, 'dist', name), 'utf8'));
      return sources.flatMap((source) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(source)?.[1] ?? []);
    });
    expect(new Set(bundled).size).toBeGreaterThan(10);
    for (const name of new Set(bundled)) expect([...names]).toContain(name);
  });

  it('has what the image brings beside it, and nothing that is only for development', () => {
    const scopes = new Map(components.map((component) => [fullName(component), component.scope]));
    expect(scopes.get('better-sqlite3')).toBe('required');
    for (const name of ['kafkajs', '@nats-io/jetstream', 'tweetnacl']) expect(scopes.get(name)).toBe('optional');
    for (const name of ['vitest', 'typescript', 'rolldown', '@biomejs/biome']) expect(scopes.has(name)).toBe(false);
  });
});

describe('a licence', () => {
  /** A checkout with one dependency, whose licence is this. */
  function checkoutWith(license: string | undefined): string {
    const folder = mkdtempSync(join(tmpdir(), 'sbom-'));
    folders.push(folder);
    const write = (path: string, content: object) => writeFileSync(join(folder, path), JSON.stringify(content));
    mkdirSync(join(folder, 'node_modules/dependency'), { recursive: true });
    mkdirSync(join(folder, 'scripts'));
    copyFileSync(join(ROOT, 'scripts/sbom.ts'), join(folder, 'scripts/sbom.ts'));
    write('package.json', { name: 'x', version: '1.0.0', type: 'module', dependencies: { dependency: '2.0.0' } });
    write('package-lock.json', { packages: { 'node_modules/dependency': { integrity: 'sha512-AAAA' } } });
    write('node_modules/dependency/package.json', { name: 'dependency', version: '2.0.0', license });
    return join(folder, 'scripts/sbom.ts');
  }

  it.each(['GPL-3.0-only', 'SEE LICENSE IN LICENSE.md', '(MIT OR GPL-2.0)', undefined])('%s is refused', (license) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [checkoutWith(license)], { encoding: 'utf8' });
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toContain(`dependency 2.0.0: licence ${license ?? 'none'} is not allowed`);
  });

  it('MIT is not', () => {
    expect(spawnSync(process.execPath, [checkoutWith('MIT')]).status).toBe(0);
  });
});
