import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { loadConfig } from '../../src/config/load.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';
import { rsyslogIsInstalled } from '../receivers/rsyslog.ts';

/** What is shipped beside the program fits the program: ports, paths, flags, metric names, and the tools that read it. */

const ROOT = resolve(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const [FIRST_LINE = ''] = read('src/main.ts').split('\n', 1);
const START_FLAGS = FIRST_LINE.match(/--\S+/g) ?? [];
const START_ENVIRONMENT = FIRST_LINE.match(/(?<= )[A-Z_]+=\S+/g) ?? [];
const has = (tool: string, ...args: string[]) => spawnSync(tool, args).status === 0;

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'packaging-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly [key: string]: unknown;
}

describe('what the program is started with', () => {
  it.each(['Dockerfile', 'package.json', 'packaging/systemd/mimecast-forwarder.service'])(
    'is in %s what its first line says',
    (path) => {
      expect(START_FLAGS.length * START_ENVIRONMENT.length).toBeGreaterThan(0);
      for (const part of [...START_FLAGS, ...START_ENVIRONMENT]) expect(read(path)).toContain(part);
    },
  );
});

describe('the unit for systemd', () => {
  const unit = 'packaging/systemd/mimecast-forwarder.service';
  const runs = has('systemd-analyze', '--version');

  it('does not start again what starting again cannot cure', () => {
    expect(read(unit)).toMatch(/^RestartPreventExitStatus=2 3$/m);
  });

  it.skipIf(!runs)('is understood whole by systemd (skipped without systemd-analyze)', () => {
    const folder = temporaryFolder();
    // Here the user does not exist; nothing else of it is changed.
    const path = join(folder, 'mimecast-forwarder.service');
    writeFileSync(path, read(unit).replace(/^(User|Group)=.*\n/gm, ''));
    const { stderr, status } = spawnSync('systemd-analyze', ['verify', path], { encoding: 'utf8' });
    expect(stderr.split('\n').filter((line) => line.includes('mimecast-forwarder'))).toEqual([]);
    expect(status).toBe(0);
  });

  it.skipIf(!runs)('leaves little open: exposure below 2 of 10 (skipped without systemd-analyze)', () => {
    const { stdout } = spawnSync('systemd-analyze', ['security', '--offline=yes', join(ROOT, unit)], {
      encoding: 'utf8',
    });
    expect(Number(/exposure level for \S+: ([\d.]+)/.exec(stdout)?.[1])).toBeLessThan(2);
  });
});

describe('the manifests for Kubernetes', () => {
  const folder = 'packaging/kubernetes';
  const files = readdirSync(join(ROOT, folder)).filter((file) => file !== 'kustomization.yaml');
  const manifests = new Map<string, Manifest>(
    files.flatMap((file) =>
      parseAllDocuments(read(`${folder}/${file}`)).map((document): [string, Manifest] => {
        expect(document.errors).toEqual([]);
        const manifest = document.toJS() as Manifest;
        return [manifest.kind, manifest];
      }),
    ),
  );
  const at = (kind: string, ...path: (string | number)[]): unknown =>
    path.reduce<unknown>((value, key) => Reflect.get(Object(value), key), manifests.get(kind));

  it('are all named by the kustomization', () => {
    const { resources } = parse(read(`${folder}/kustomization.yaml`)) as { resources: string[] };
    expect(resources.toSorted()).toEqual(files.toSorted());
  });

  it('hold a config that the program takes', () => {
    const place = temporaryFolder();
    const text = String(at('ConfigMap', 'data', 'forwarder.yaml'));
    // The secrets are mounted there, not here.
    const secret = join(place, 'secret');
    writeFileSync(secret, 'x\n', { mode: 0o600 });
    writeFileSync(join(place, 'forwarder.yaml'), text.replaceAll(/\/run\/secrets\/mimecast-forwarder\/\w+/g, secret), {
      mode: 0o600,
    });
    const { config, warnings } = loadConfig({ file: join(place, 'forwarder.yaml'), env: {} });
    expect(warnings).toEqual([]);
    expect(config.http).toMatchObject({ listen: { port: 9464 } });
    const mounts = at('StatefulSet', 'spec', 'template', 'spec', 'containers', 0, 'volumeMounts') as {
      mountPath: string;
    }[];
    expect(mounts.map(({ mountPath }) => mountPath)).toContain(resolve(config.store.path, '..'));
  });

  it('run one pod, as nobody in particular, on a file system that it cannot change', () => {
    expect(at('StatefulSet', 'spec', 'replicas')).toBe(1);
    expect(at('StatefulSet', 'spec', 'template', 'spec', 'securityContext')).toMatchObject({
      runAsNonRoot: true,
      fsGroup: 1000,
    });
    expect(at('StatefulSet', 'spec', 'template', 'spec', 'containers', 0, 'securityContext')).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
  });

  it('give a stop longer than the program takes for it', () => {
    expect(at('StatefulSet', 'spec', 'template', 'spec', 'terminationGracePeriodSeconds')).toBeGreaterThan(10);
  });

  it('speak of one port and one set of labels', () => {
    const labels = { 'app.kubernetes.io/name': 'mimecast-forwarder' };
    expect(at('StatefulSet', 'spec', 'template', 'metadata', 'labels')).toEqual(labels);
    expect(at('StatefulSet', 'spec', 'selector', 'matchLabels')).toEqual(labels);
    expect(at('Service', 'spec', 'selector')).toEqual(labels);
    expect(at('NetworkPolicy', 'spec', 'podSelector', 'matchLabels')).toEqual(labels);
    expect(at('ServiceMonitor', 'spec', 'selector', 'matchLabels')).toEqual(labels);
    expect(at('StatefulSet', 'spec', 'template', 'spec', 'containers', 0, 'ports', 0)).toEqual({
      name: 'http',
      containerPort: 9464,
    });
    expect(at('Service', 'spec', 'ports', 0)).toMatchObject({ name: 'http', port: 9464 });
  });
});

describe('the dashboard for Grafana', () => {
  interface Panel {
    readonly id: number;
    readonly type: string;
    readonly title: string;
    readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
    readonly targets?: readonly { readonly expr: string }[];
  }
  const dashboard = JSON.parse(read('config/grafana/dashboard.json')) as { readonly panels: readonly Panel[] };
  const expressions = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));

  it('asks for metrics that the program has', async () => {
    const known = new Set((await new Metrics().registry.getMetricsAsJSON()).map(({ name }) => name));
    const used = expressions.flatMap((expr) => expr.match(/mimecast_forwarder_\w+/g) ?? []);
    expect(used.length).toBeGreaterThanOrEqual(20);
    for (const name of used) expect(known).toContain(name.replace(/_(bucket|sum|count)$/, ''));
  });

  it.skipIf(!has('promtool', '--version'))('asks in PromQL (skipped without promtool)', () => {
    const rules = expressions.map((expr, index) => ({
      record: `dashboard:panel:${index}`,
      expr: expr.replaceAll('$__rate_interval', '5m').replaceAll('$job', '.*').replaceAll('$instance', '.*'),
    }));
    const file = join(temporaryFolder(), 'rules.yaml');
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
    const { status, stderr, stdout } = spawnSync('promtool', ['check', 'rules', file], { encoding: 'utf8' });
    expect(stderr + stdout).not.toMatch(/FAILED/);
    expect(status).toBe(0);
  });

  it('has panels that neither overlap nor stand out, each with words of its own', () => {
    const taken = new Map<string, string>();
    for (const { title, gridPos, id } of dashboard.panels) {
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          expect(taken.get(`${x} ${y}`), `${title} and ${taken.get(`${x} ${y}`)}`).toBeUndefined();
          taken.set(`${x} ${y}`, title);
        }
      }
      expect(dashboard.panels.filter((other) => other.id === id)).toHaveLength(1);
    }
    const described = dashboard.panels.filter(({ type }) => type !== 'row');
    for (const panel of described) expect(Reflect.get(panel, 'description'), panel.title).toMatch(/\S/);
  });
});

describe('the Dockerfile', () => {
  it('copies all that its build needs, and nothing that is kept from it', () => {
    const sources = [...read('Dockerfile').matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, paths = '']) =>
      paths.split(' '),
    );
    const allowed = read('.dockerignore').match(/(?<=^!).+$/gm) ?? [];
    for (const source of sources) {
      expect(allowed.filter((path) => source === path || source.startsWith(`${path}/`), source).length).toBeGreaterThan(
        0,
      );
    }
    const place = temporaryFolder();
    for (const path of sources) cpSync(join(ROOT, path), join(place, path), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(place, 'node_modules'));
    const { status, stderr } = spawnSync('npm', ['run', '--silent', 'build'], { cwd: place, encoding: 'utf8' });
    expect(stderr.replace(/^npm warn .*\n/gm, '')).toBe('');
    expect(status).toBe(0);
    const modules = readdirSync(join(place, 'dist')).filter((file) => file.endsWith('.js'));
    expect(modules).toContain('main.js');
    for (const file of modules) expect(readFileSync(join(place, 'dist', file), 'utf8')).not.toMatch(/[^\0-\x7f]/);
    // What V8 compiled is kept beside the program and nowhere that other users can write to.
    const temporary = temporaryFolder();
    const env = { PATH: process.env.PATH, TMPDIR: temporary };
    const flags = [...START_FLAGS, join(place, 'dist', 'main.js'), 'run', '--config', 'none'];
    expect(spawnSync(process.execPath, flags, { cwd: place, env }).status).toBe(2);
    const [kept = ''] = readdirSync(join(place, '.cache', 'compile'));
    const files = readdirSync(join(place, '.cache', 'compile', kept));
    expect(files.length).toBeGreaterThan(5);
    for (const file of files) expect(statSync(join(place, '.cache', 'compile', kept, file)).mode & 0o077).toBe(0);
    expect(readdirSync(temporary)).toEqual([]);
  });
});

describe('the compose file', () => {
  interface Service {
    readonly image?: string;
    readonly build?: string;
    readonly command?: readonly string[];
    readonly profiles?: readonly string[];
    readonly volumes?: readonly string[];
    readonly environment?: Readonly<Record<string, unknown>>;
    readonly read_only?: boolean;
    readonly cap_drop?: readonly string[];
  }
  const { services, volumes } = parse(read('docker-compose.yml')) as {
    services: Readonly<Record<string, Service>>;
    volumes: Readonly<Record<string, unknown>>;
  };

  it('brings up everything to practise with', () => {
    const practice = Object.entries(services).filter(([, { profiles = [] }]) => profiles.includes('practice'));
    expect(practice.map(([name]) => name)).toEqual([
      'simulator',
      'practice-forwarder',
      'rsyslog',
      'prometheus',
      'grafana',
    ]);
  });

  it('mounts files that are there', () => {
    for (const { volumes: mounts = [], build } of Object.values(services)) {
      if (build !== undefined) expect(existsSync(join(ROOT, build, 'Dockerfile'))).toBe(true);
      for (const mount of mounts) {
        const [source = ''] = mount.split(':');
        if (source.startsWith('.')) expect(existsSync(join(ROOT, source)), source).toBe(true);
        else expect(Object.keys(volumes)).toContain(source);
      }
    }
  });

  it('starts our image without rights and with a file system that it cannot change', () => {
    const ours = Object.values(services).filter(({ image }) => image === 'mimecast-forwarder');
    expect(ours).toHaveLength(3);
    for (const { read_only, cap_drop } of ours)
      expect({ read_only, cap_drop }).toEqual({ read_only: true, cap_drop: ['ALL'] });
  });

  it('gives the practice forwarder a config that it takes, and the credentials that the simulator knows', () => {
    const place = temporaryFolder();
    const environment = Object.entries(services['practice-forwarder']?.environment ?? {});
    const env = Object.fromEntries(environment.map(([key, value]) => [key, String(value)]));
    env.MIMECAST_CLIENT_SECRET_FILE = join(place, 'secret');
    writeFileSync(env.MIMECAST_CLIENT_SECRET_FILE, read('packaging/practice/client_secret'), { mode: 0o600 });
    writeFileSync(join(place, 'forwarder.yaml'), read('config/container.yaml'), { mode: 0o600 });
    const { config } = loadConfig({ file: join(place, 'forwarder.yaml'), env });
    expect(config.mimecast.auth).toMatchObject({ clientId: 'simulator-client' });
    expect(Reflect.get(config.mimecast.auth, 'clientSecret').read()).toBe('simulator-client-secret');
  });

  it.skipIf(!rsyslogIsInstalled)('has an rsyslog config that rsyslog takes (skipped without rsyslog)', () => {
    const check = spawnSync('rsyslogd', ['-N1', '-f', join(ROOT, 'packaging/practice/rsyslog/rsyslog.conf')], {
      encoding: 'utf8',
    });
    expect(check.stderr).not.toMatch(/error/i);
    expect(check.status).toBe(0);
  });

  it.skipIf(!has('promtool', '--version'))(
    'has a Prometheus config that Prometheus takes (skipped without promtool)',
    () => {
      const file = join(temporaryFolder(), 'prometheus.yaml');
      const rules = join(ROOT, 'config/prometheus/alerts.yaml');
      writeFileSync(file, read('packaging/practice/prometheus.yaml').replace('/etc/prometheus/alerts.yaml', rules));
      const { status, stdout, stderr } = spawnSync('promtool', ['check', 'config', file], { encoding: 'utf8' });
      expect(stdout + stderr).not.toMatch(/FAILED/);
      expect(status).toBe(0);
    },
  );
});
