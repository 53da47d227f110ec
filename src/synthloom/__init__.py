"""synthloom"""
