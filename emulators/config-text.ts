import { stringify } from 'yaml';

/** A configuration as the broker reads it: settings that share an object are written out, for it refuses anchors. */
export function configText(config: object): string {
  return stringify(config, { aliasDuplicateObjects: false });
}
