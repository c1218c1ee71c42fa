// What can be chosen and what is: refiners, filters, estimators, backends, and a refiner of the user's own.

import {DEFAULTS} from "../refiners/filters.js";

const at = id => document.getElementById(id);

export class Choices {
  #own = null;

  /** `catalogue` is models.json: its names fill the page's lists. */
  constructor(catalogue) {
    this.catalogue = catalogue;
    at("refiner").append(
      group("Refiners", catalogue.refiners.map(({name, model, recipe, form, emits}) => new Option(`${name}: ${model}, ${form}, ${emits}, ${recipe}`, name))),
      group("Filters", Object.keys(DEFAULTS).map(name => new Option(name.replaceAll("_", " "), `filter:${name}`))),
      group("Nothing", [new Option("identity: as the estimator sees it", "identity")]),
    );
    at("estimator").append(...catalogue.estimators.map(({name}) => new Option(name, name)));
    at("estimators").hidden = catalogue.estimators.length < 2;
  }

  get backend() {
    return at("backend").value;
  }

  estimator() {
    return this.catalogue.estimators.find(({name}) => name === at("estimator").value);
  }

  refiner() {
    const {value} = at("refiner");
    if (value === "own") return this.#own;
    if (value.startsWith("filter:")) return {filter: value.slice("filter:".length)};
    return this.catalogue.refiners.find(({name}) => name === value) ?? {name: "identity"};
  }

  /** Choose a refiner of the user's own, read here and sent nowhere. */
  async add(file) {
    this.#own = {name: file.name, bytes: new Uint8Array(await file.arrayBuffer())};
    at("refiner").querySelector('[value="own"]')?.remove();
    at("refiner").prepend(new Option(file.name, "own", false, true));
  }
}

function group(label, options) {
  const made = document.createElement("optgroup");
  made.label = label;
  made.append(...options);
  return made;
}
