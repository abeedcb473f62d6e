/** The api listener: what services call. */

import type { Express } from 'express';
import type { AccessHelp } from '../../core/access-help.ts';
import type { AuditLog, CallerLimit, PolicySource, TokenValidator } from '../../core/ports.ts';
import { expressApp, onlyMethods, otherMethods, unmatched } from '../express-app.ts';
import type { FormParts, WireForm } from '../forms/wire-form.ts';
import type { Instrument } from '../instrument.ts';
import { describeCaller } from './describe-caller.ts';

export interface ApiAppOptions extends FormParts {
  readonly forms: readonly WireForm[];
  readonly validator: TokenValidator;
  readonly limit: CallerLimit;
  readonly audit: AuditLog;
  readonly policy: PolicySource;
  readonly accessHelp: AccessHelp;
  readonly route: Instrument;
}

export function apiApp({ forms, route, ...parts }: ApiAppOptions): Express {
  const app = expressApp();
  const routes = forms.map((form) => ({
    ...form,
    handle: route(form.route, form.handler(parts), form.sendError),
  }));
  for (const path of new Set(forms.flatMap(({ paths }) => paths))) {
    const here = routes.filter(({ paths }) => paths.includes(path));
    const others = route(...otherThan(here));
    const at = app.route(path);
    // A HEAD that issued credentials would leave a record of credentials that nobody has.
    at.head(others);
    for (const { method, handle } of here) at[verbs[method]](handle);
    at.all(others);
  }
  const caller = '/v1/caller';
  app.get(caller, route(caller, describeCaller(parts)));
  app.all(caller, route(caller, otherMethods(['GET'])));

  unmatched(app, route);
  return app;
}

const verbs = { GET: 'get', POST: 'post' } as const;

/** What answers the methods that no form has at a path, under the name of the first that is there. */
function otherThan(here: readonly WireForm[]): Parameters<Instrument> {
  const [first] = here as [WireForm, ...WireForm[]];
  const methods = here.map(({ method }) => method).sort();
  return [first.route, onlyMethods(methods), first.ownsPaths ? first.sendError : undefined];
}
