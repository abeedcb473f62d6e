/** Which wire form a request that no route has seen is written in: as the routes would find it. */

import type { WireForm } from './wire-form.ts';

export type FormFinder = (method: string, url: string) => WireForm | undefined;

export function formFinder(forms: readonly WireForm[]): FormFinder {
  const known = forms.map((form) => ({ form, path: patternOf(form.paths) }));
  return (method, url) =>
    known.find(({ form, path }) => (form.ownsPaths || form.method === method) && path.test(url))
      ?.form;
}

/** `:name` stands for one segment, as in Express. */
function patternOf(paths: readonly string[]): RegExp {
  const sources = paths.map((path) => path.replaceAll('.', '\\.').replaceAll(/:\w+/g, '[^/?]+'));
  return new RegExp(`^(?:${sources.join('|')})(?:\\?.*)?$`);
}
