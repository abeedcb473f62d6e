/** What of a process can make a safe configuration unsafe. */

import type { ConfigRule, SettingFault } from './fault.ts';

export interface RuntimeFacts {
  readonly nodeOptions: string;
  /** Of which of its parts Node itself writes to standard error. */
  readonly nodeDebug: string;
  readonly execArgv: readonly string[];
  readonly tlsRejectUnauthorized: string | undefined;
  /** Makes Node itself use the proxies that the environment names; the SDK's clients use none. */
  readonly useEnvProxy: string | undefined;
  readonly userId: number | undefined;
  /** An inspector is open: by an option, or by a signal that came before anything listened for it. */
  readonly inspected: boolean;
}

/** Heap snapshots hold tokens, reports the environment, a key log what decrypts TLS, and an abort leaves a core file. */
const dangerousOptions =
  /--(?:inspect|insecure-http-parser|heapsnapshot|report-(?:on|uncaught)|tls-keylog|abort-on-uncaught)/;

export function processRule(runtime: RuntimeFacts): ConfigRule {
  return ({ profile }) => (profile === 'production' ? checkProcess(runtime) : []);
}

function checkProcess({
  nodeOptions,
  nodeDebug,
  execArgv,
  tlsRejectUnauthorized,
  useEnvProxy,
  userId,
  inspected,
}: RuntimeFacts): SettingFault[] {
  const faults: SettingFault[] = [];
  // Node takes an underscore for a dash in the names of its options.
  const options = `${nodeOptions} ${execArgv.join(' ')}`.replaceAll('_', '-');
  if (dangerousOptions.test(options)) {
    faults.push(
      fault(
        'Node options open an inspector, write secrets to files or loosen the HTTP parser: remove them',
      ),
    );
  }
  if (useEnvProxy !== undefined || options.includes('--use-env-proxy')) {
    faults.push(
      fault(
        'NODE_USE_ENV_PROXY would send key sets through a proxy, and nothing else: remove it (docs/adr/0047)',
      ),
    );
  }
  if (nodeDebug !== '') {
    faults.push(fault('NODE_DEBUG puts requests with their tokens into the log: remove it'));
  }
  if (inspected) {
    faults.push(fault('an inspector is open, which reads tokens out of memory: restart without'));
  }
  if (tlsRejectUnauthorized === '0') {
    faults.push(fault('NODE_TLS_REJECT_UNAUTHORIZED=0 switches certificate checks off: remove it'));
  }
  if (userId === 0) faults.push(fault('must not run as root in the production profile'));
  return faults;
}

function fault(detail: string): SettingFault {
  return { path: '', detail, source: 'process' };
}
