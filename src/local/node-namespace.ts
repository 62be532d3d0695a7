import { readFileSync } from 'node:fs';
import { findProgram, runCommand } from './command.ts';
import type { DebianTools } from './debian.ts';
import { localDirectory } from './paths.ts';
import { startServer, type Server, type ServerHost } from './server.ts';
import { messageOf, waitFor } from './wait.ts';

/**
 * The real node lives in network, mount and process namespaces of its own, joined to the host by
 * one veth pair. kube-proxy knows one nftables table per network namespace, container runtimes
 * leave mounts and orphans: inside, none of that can collide with another stack or touch the
 * host's, and the kernel removes all of it when the namespaces' first process ends. What is left
 * of the host to clean are cgroups, which have no such owner. Pods reach each other and the host's
 * end of the link, and nothing beyond: no address is translated for them.
 */
export interface NodeNamespace {
  index: number;
  /** The host's end of the link; the API server listens there. */
  hostAddress: string;
  nodeAddress: string;
  podRange: string;
  serviceRange: string;
  holder: Server;
  /** Turns a command into one that runs inside. */
  enter: (command: string, commandArguments: readonly string[]) => { command: string; arguments: string[] };
}

/** What a real node touches of the host; shown when it is used. */
export const hostTouches =
  'one network link (runbooks<N>) with its routes and one cgroup (runbooks<N>), both removed at the end';

export const linkName = (index: number): string => `runbooks${index}`;
const insideName = 'uplink0';
const maximumIndex = 30;

// The kubelet sets these for the whole machine when they differ; inside it sees them set already.
const kernelSettings: Record<string, string> = {
  'vm/overcommit_memory': '1',
  'vm/panic_on_oom': '0',
  'kernel/panic': '10',
  'kernel/panic_on_oops': '1',
  'kernel/keys/root_maxkeys': '1000000',
  'kernel/keys/root_maxbytes': '25000000',
};

/** Creates the namespaces and the link; the first free number is taken by the link's creation, which is atomic. */
export async function createNodeNamespace(
  host: ServerHost,
  tools: DebianTools,
  onServer: (server: Server) => void,
): Promise<NodeNamespace> {
  const ip = required('ip', tools);
  const holder = startHolder(host);
  onServer(holder);
  const pid = await firstProcessOf(holder);
  const enter = (
    command: string,
    commandArguments: readonly string[],
  ): { command: string; arguments: string[] } => ({
    command: required('nsenter', tools),
    arguments: ['--target', String(pid), '--net', '--mount', '--pid', '--', command, ...commandArguments],
  });
  const block = await freeBlock(ip);
  const index = await createLink(ip, pid);
  host.record.setNodeIndex(index);
  const base = index * 8;
  const addresses = {
    hostAddress: `${block}.${base}.1`,
    nodeAddress: `${block}.${base}.2`,
    podRange: `${block}.${base + 2}.0/23`,
    serviceRange: `${block}.${base + 4}.0/24`,
  };
  const inside = enter('sh', ['-ec', insideScript(ip, addresses), 'sh', localDirectory]);
  await runCommand(inside.command, inside.arguments);
  await connectHost(ip, index, addresses);
  return { index, ...addresses, holder, enter };
}

/** The namespaces' first process: it collects orphans, and its end is the end of everything inside. */
function startHolder(host: ServerHost): Server {
  const unshare = required('unshare');
  return startServer(host, {
    name: 'node-namespaces',
    command: unshare,
    arguments: [
      ...['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--propagation', 'private'],
      ...['--', 'sh', '-c', 'sleep infinity & wait'],
    ],
  });
}

async function firstProcessOf(holder: Server): Promise<number> {
  const { pid } = holder.identity;
  return waitFor(
    async () => {
      if (holder.hasExited()) throw new Error(await holder.exited);
      const child = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim() || undefined);
      // The child's name changes once its own /proc is mounted and the shell has taken over.
      const name = Number.isInteger(child) ? readFileSync(`/proc/${child}/comm`, 'utf8').trim() : '';
      return name === 'sh' ? child : undefined;
    },
    { what: 'the namespaces of the node', timeoutMilliseconds: 5_000, everyMilliseconds: 10 },
  );
}

/** A /16 that no route of the host overlaps. */
async function freeBlock(ip: string): Promise<string> {
  const routes = await runCommand(ip, ['-4', 'route', 'show', 'table', 'all']);
  const candidates = Array.from({ length: 40 }, (_, offset) => `10.${213 + offset}`);
  const ours = /dev runbooks\d+/;
  const foreign = routes.split('\n').filter((route) => !ours.test(route) && !/runbooks\d+/.test(route));
  const taken = (block: string): boolean =>
    foreign.some((route) => route.includes(`${block}.`) || /(^|\s)10\.0\.0\.0\/8/.test(route));
  const free = candidates.find((block) => !taken(block));
  if (free === undefined) throw new Error('no private address range is free for the node');
  return free;
}

async function createLink(ip: string, pid: number): Promise<number> {
  let fault = '';
  for (let index = 0; index <= maximumIndex; index++) {
    try {
      const peer = ['peer', 'name', insideName, 'netns', String(pid)];
      await runCommand(ip, ['link', 'add', linkName(index), 'type', 'veth', ...peer]);
      return index;
    } catch (error) {
      fault = messageOf(error);
      if (!fault.includes('File exists')) break;
    }
  }
  throw new Error(`no link to the node could be made: ${fault}`);
}

type Addresses = Pick<NodeNamespace, 'hostAddress' | 'nodeAddress' | 'podRange' | 'serviceRange'>;

function insideScript(ip: string, { hostAddress, nodeAddress }: Addresses): string {
  const settings = Object.entries(kernelSettings).map(
    ([name, value]) =>
      `f=/run/settings-${name.replaceAll('/', '-')}; echo ${value} > $f; mount --bind $f /proc/sys/${name}`,
  );
  return [
    // Servers write to fixed places below these three; the host's own must not see it. The project's
    // folder is kept visible in case it lies below one of them.
    'mount --make-rshared /',
    'mount -t tmpfs tmpfs /run',
    'mkdir /run/keep && mount --rbind "$1" /run/keep',
    'mount -t tmpfs tmpfs /var/lib',
    'mount -t tmpfs tmpfs /var/log',
    'mkdir -p "$1" && mount --rbind /run/keep "$1"',
    'mkdir -p /run/lock /run/netns',
    ...settings,
    `${ip} link set lo up`,
    `${ip} address add ${nodeAddress}/30 dev ${insideName}`,
    `${ip} link set ${insideName} up`,
    `${ip} route add default via ${hostAddress}`,
    'echo 1 > /proc/sys/net/ipv4/ip_forward',
  ].join('\n');
}

/** The host reaches pods and Services through the node; nothing else of the host's network is changed. */
async function connectHost(ip: string, index: number, addresses: Addresses): Promise<void> {
  const device = linkName(index);
  await runCommand(ip, ['address', 'add', `${addresses.hostAddress}/30`, 'dev', device]);
  await runCommand(ip, ['link', 'set', device, 'up']);
  for (const range of [addresses.podRange, addresses.serviceRange]) {
    await runCommand(ip, ['route', 'add', range, 'via', addresses.nodeAddress, 'dev', device]);
  }
}

export function required(program: string, tools?: DebianTools): string {
  const found = findProgram(program, tools?.binaries);
  if (found === undefined) throw new Error(`a real node needs the program ${program}`);
  return found;
}
