/** The members of a mapping that most have; the rest is written as JSON, and stays as it is here. */

import { type PrincipalKind, suggestedNames, useNames } from '../names.ts';
import { ChoiceField, TextField } from '../parts/field.tsx';

type Json = Readonly<Record<string, unknown>>;

interface MappingFormProps {
  readonly mapping: Json;
  readonly isNew: boolean;
  readonly onMapping: (mapping: Json) => void;
}

const kinds: Readonly<Record<PrincipalKind, string>> = {
  client: 'an app client',
  user: 'a user (sub)',
  group: 'a group',
  any: 'anybody',
};

export function MappingForm({ mapping, isNew, onMapping }: MappingFormProps) {
  const principal = objectAt(mapping, 'principal');
  const conditions = objectAt(mapping, 'conditions');
  const session = objectAt(mapping, 'session');
  const kind = (Object.keys(kinds) as PrincipalKind[]).find((one) => one in principal) ?? 'client';
  const names = useNames();
  const set = (part: Json) => onMapping({ ...mapping, ...part });
  const setPrincipal = (pool: string, of: PrincipalKind, name: string) =>
    set({ principal: { pool, [of]: of === 'any' ? true : name } });
  const setCondition = (name: string, value: unknown) =>
    set({ conditions: withMember(conditions, name, value) });
  return (
    <>
      <div class="row">
        <TextField
          label="Id"
          value={textAt(mapping, 'id')}
          onValue={(id) => set({ id })}
          disabled={!isNew}
        />
        <TextField
          label="Owner"
          value={textAt(mapping, 'owner')}
          onValue={(owner) => set({ owner })}
          suggestions={names.owners}
        />
        <ChoiceField
          label="Enabled"
          value={mapping['enabled'] === false ? 'no' : 'yes'}
          onValue={(enabled) => set({ enabled: enabled === 'yes' })}
          choices={{ yes: 'yes', no: 'no' }}
        />
      </div>
      <TextField
        label="Description"
        value={textAt(mapping, 'description')}
        onValue={(description) => set({ description })}
      />
      <fieldset>
        <legend>Who and what</legend>
        <div class="row">
          <ChoiceField
            label="Effect"
            value={textAt(mapping, 'effect')}
            onValue={(effect) => set({ effect })}
            choices={{ allow: 'allow', deny: 'deny' }}
          />
          <ChoiceField
            label="Principal is"
            value={kind}
            onValue={(of) => setPrincipal(textAt(principal, 'pool'), of as PrincipalKind, '')}
            choices={kinds}
          />
          <TextField
            label="Pool"
            value={textAt(principal, 'pool')}
            onValue={(pool) => setPrincipal(pool, kind, textAt(principal, kind))}
            suggestions={names.pools}
          />
          {kind !== 'any' && (
            <TextField
              label="Name"
              value={textAt(principal, kind)}
              onValue={(name) => setPrincipal(textAt(principal, 'pool'), kind, name)}
              suggestions={suggestedNames[kind](names)}
              hint="As it stands in tokens, exactly."
            />
          )}
        </div>
        <TextField
          label="Role"
          value={textAt(mapping, 'role')}
          onValue={(role) => set({ role })}
          suggestions={names.roles}
          hint="The ARN of one IAM role; a deny may have *."
        />
      </fieldset>
      <fieldset>
        <legend>Conditions</legend>
        <div class="row">
          <TextField
            label="Scopes"
            value={wordsAt(conditions, 'scopes')}
            onValue={(text) => setCondition('scopes', listOf(text))}
            hint="All of them, with spaces between."
          />
          <TextField
            label="Expires at"
            value={textAt(conditions, 'expiresAt')}
            onValue={(text) => setCondition('expiresAt', text === '' ? undefined : text)}
            hint="In UTC, such as 2026-12-31T00:00:00Z."
          />
          <TextField
            label="Longest session in seconds"
            value={textAt(session, 'maxDurationSeconds')}
            onValue={(text) =>
              set({ session: withMember(session, 'maxDurationSeconds', numberOf(text)) })
            }
          />
        </div>
        <button type="button" onClick={() => setCondition('expiresAt', inADay())}>
          Expire in a day
        </button>
      </fieldset>
    </>
  );
}

function objectAt(object: Json, name: string): Json {
  const value = object[name];
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Json)
    : {};
}

function textAt(object: Json, name: string): string {
  const value = object[name];
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

function wordsAt(object: Json, name: string): string {
  const value = object[name];
  return Array.isArray(value) ? value.join(' ') : '';
}

/** While it is written there may be a space at the end. */
function listOf(text: string): readonly string[] | undefined {
  return text === '' ? undefined : text.split(' ');
}

function numberOf(text: string): number | undefined {
  return text === '' ? undefined : Number(text);
}

function withMember(object: Json, name: string, value: unknown): Json {
  const { [name]: _before, ...others } = object;
  return value === undefined ? others : { ...others, [name]: value };
}

function inADay(): string {
  return new Date(Date.now() + 86_400_000).toISOString().replace(/\.\d+Z$/, 'Z');
}
