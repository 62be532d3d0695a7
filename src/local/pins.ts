/** A server or tool with its one right version, and how to build exactly that. */
export interface Tool {
  name: string;
  version: string;
  /** Arguments that make a binary found on PATH print its version. */
  versionArguments: readonly string[];
  build: GoBuild;
}

interface GoBuild {
  package: string;
  /** A folder with a go.mod of ours under tools/, for what `go install …@version` refuses. */
  wrapper?: string;
  ldflags?: string;
}

const kubernetesVersion = 'v1.36.1';

// Without these the servers call themselves v0.0.0, and clients that look at the version are led astray.
const kubernetesFlags = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version']
  .map((name) => `-X ${name}.gitVersion=${kubernetesVersion}`)
  .join(' ');

function kubernetes(name: string): Tool {
  return {
    name,
    version: kubernetesVersion,
    versionArguments: name === 'kubectl' ? ['version', '--client'] : ['--version'],
    build: { package: `k8s.io/kubernetes/cmd/${name}`, wrapper: 'kubernetes', ldflags: kubernetesFlags },
  };
}

export const tools = {
  etcd: {
    name: 'etcd',
    version: 'v3.6.8',
    versionArguments: ['--version'],
    build: { package: 'go.etcd.io/etcd/server/v3', wrapper: 'kubernetes' },
  },
  apiServer: kubernetes('kube-apiserver'),
  controllerManager: kubernetes('kube-controller-manager'),
  scheduler: kubernetes('kube-scheduler'),
  kubectl: kubernetes('kubectl'),
  kubelet: kubernetes('kubelet'),
  proxy: kubernetes('kube-proxy'),
  temporal: {
    name: 'temporal',
    // Later versions' go.mod replaces a nested module by a folder, so they cannot be installed by name.
    version: 'v1.5.1',
    versionArguments: ['--version'],
    build: { package: 'github.com/temporalio/cli/cmd/temporal' },
  },
  objectStorage: {
    name: 'versitygw',
    version: 'v1.8.0',
    versionArguments: ['--version'],
    build: { package: 'github.com/versity/versitygw/cmd/versitygw' },
  },
  kwok: {
    name: 'kwok',
    version: 'v0.8.0',
    versionArguments: ['--version'],
    build: { package: 'sigs.k8s.io/kwok/cmd/kwok' },
  },
  registry: {
    name: 'registry',
    version: 'v3.1.2',
    versionArguments: ['--version'],
    build: { package: 'github.com/distribution/distribution/v3/cmd/registry' },
  },
} as const satisfies Record<string, Tool>;

/** Debian packages of a real node; they are unpacked into the tool folder, never installed. */
export const debianPackages = [
  'containerd',
  'runc',
  'containernetworking-plugins',
  'nftables',
  'iproute2',
  'busybox-static',
] as const;
