"""Claims in court: what is said of SGD, tried here, with a verdict by a rule that was written down before."""

import streamlit as st

from sgd_tf.claims import view
from sgd_tf.ui import experiment
from sgd_tf.ui.language import _, prose

question, settings = st.columns([3, 1], gap="medium", vertical_alignment="bottom")
question.markdown(prose(__file__, "question"))
with settings:
    num_seeds = view.seeds()
guess = experiment.predict(
    _("Predict: how many of the 18 claims will hold just as they stand?"), view.HOW_MANY, key="claims_guess"
)
buttons, progress = st.columns([1, 3], gap="medium", vertical_alignment="center")
with buttons:
    view.run_all(num_seeds, guess)

found = view.collect()
with progress:
    view.follow()
view.summary(found)
view.all_claims(found, num_seeds)

notice, method = st.columns(2, gap="medium")
notice.markdown(prose(__file__, "notice"))
method.markdown(prose(__file__, "method"))
with st.expander(_("The same without this page")):
    st.code(f"sgd-tf claims --seeds {num_seeds} --json claims.json", language="shell")
