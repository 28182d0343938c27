// What the modules of the dashboard ask of a browser when they are loaded. Import it before them.
Object.assign(globalThis, { location: { hash: "" }, window: { addEventListener: () => undefined } });
