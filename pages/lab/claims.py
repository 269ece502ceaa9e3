"""Test the claims: what is said of SGD, tested here, with a verdict by a rule that was written before the run."""

import streamlit as st

from sgd_tf.claims import plain, view
from sgd_tf.claims.catalogue import CLAIMS
from sgd_tf.ui import take_home
from sgd_tf.ui.language import _, prose

question, settings = st.columns([3, 1], gap="medium", vertical_alignment="bottom")
question.markdown(prose(__file__, "question"))
with settings:
    num_seeds = view.seeds()
everything = view.Plan(keys=tuple(CLAIMS), num_seeds=num_seeds)
view.TRIAL.predict(everything)
view.TRIAL.buttons(everything)

found = view.collect()
view.TRIAL.result(view.shown(num_seeds))
keys = view.summary(found)
view.all_claims(keys, found, num_seeds)

notice, method = st.columns(2, gap="medium")
notice.markdown(prose(__file__, "notice"))
method.markdown(prose(__file__, "method"))
with st.expander(_("Do the same on the command line")):
    st.code(f"sgd-tf claims --seeds {num_seeds} --json claims.json", language="shell")
with st.expander(_("The most famous claim in plain TensorFlow: GD against SGD")):
    take_home.plain_code(plain.gd_against_sgd(), name="claims")
