/** What is wrong with a configuration, and where it has to be put right. */

import type { SourcePosition } from '../kit/yaml/source-fault.ts';
import type { Config } from './schema.ts';

/**
 * What has to change: the text of the file, a variable of the environment, how this process was started, or a file on this
 * host that the configuration names.
 */
export const faultSources = ['file', 'environment', 'process', 'host'] as const;
export type FaultSource = (typeof faultSources)[number];

/** As a rule finds it. */
export interface SettingFault {
  /** Dotted path of the setting; empty if it is about no single one. */
  readonly path: string;
  readonly detail: string;
  /** Absent for the file. */
  readonly source?: Exclude<FaultSource, 'file'>;
}

export type ConfigRule = (config: Config) => Iterable<SettingFault>;

/** Of the file. */
export function fault(path: string, detail: string): SettingFault {
  return { path, detail };
}

/** As it is told. */
export interface ConfigFault {
  readonly source: FaultSource;
  readonly file: string;
  /** Absent where the file does not speak of it. */
  readonly position?: SourcePosition;
  /** Dotted path; empty if it is about no single setting. */
  readonly setting: string;
  /** Variable of the environment that is to be put right. */
  readonly variable?: string;
  readonly detail: string;
}

/** One line: where, and what to do. */
export function configFaultLine(fault: ConfigFault): string {
  const { source, setting, variable, detail } = fault;
  switch (source) {
    case 'environment':
      return withSetting(`environment: ${variable ?? ''}`, setting, detail);
    case 'process':
      return `this process: ${detail}`;
    case 'host':
      return withSetting(placeOf(fault), setting, `on this host, ${detail}`);
    case 'file':
      return withSetting(placeOf(fault), setting, detail);
  }
}

function withSetting(place: string, setting: string, detail: string): string {
  return setting === '' ? `${place}: ${detail}` : `${place}: ${setting}: ${detail}`;
}

function placeOf({ file, position }: ConfigFault): string {
  return position === undefined ? file : `${file}:${position.line}:${position.col}`;
}

/** Those of the file in the order in which a reader meets them, then the others. */
export function inOrder(faults: readonly ConfigFault[]): readonly ConfigFault[] {
  const rank = ({ source }: ConfigFault) => (source === 'host' ? 0 : faultSources.indexOf(source));
  return [...faults].sort(
    (a, b) =>
      rank(a) - rank(b) ||
      (a.position?.line ?? 0) - (b.position?.line ?? 0) ||
      (a.position?.col ?? 0) - (b.position?.col ?? 0),
  );
}
