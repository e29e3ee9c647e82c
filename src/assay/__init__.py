"""assay: how is your AI application doing with real users, and where should you look next?"""
