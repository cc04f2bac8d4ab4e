"""Training of the starter recogniser: text, speech, network, language model, export, figures."""
