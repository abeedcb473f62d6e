import type { RuntimeFacts } from '../../src/config/process.ts';

/** What a configuration is checked against: a process of which nothing is dangerous. */
export const ordinaryProcess: RuntimeFacts = {
  nodeOptions: '',
  nodeDebug: '',
  execArgv: [],
  tlsRejectUnauthorized: undefined,
  useEnvProxy: undefined,
  userId: 1000,
  inspected: false,
};
