/** Makes every text that is drawn visible text, so that no page can forget to. Importing it has that effect. */

import { Fragment, options, type VNode } from 'preact';
import { visibleText } from './visible-text.ts';

/** What else of an element is read by people. */
const readAttributes = ['title', 'aria-label', 'placeholder', 'alt'] as const;

const before = options.vnode;
options.vnode = (node: VNode) => {
  if (typeof node.type === 'string' || node.type === Fragment) {
    const props = node.props as Record<string, unknown>;
    if (props['children'] !== undefined) props['children'] = shown(props['children']);
    for (const name of readAttributes) {
      if (typeof props[name] === 'string') props[name] = visibleText(props[name]);
    }
  }
  before?.(node);
};

function shown(children: unknown): unknown {
  if (typeof children === 'string') return visibleText(children);
  return Array.isArray(children) ? children.map(shown) : children;
}
